// Asking our own services: CSRF token, JSON, problem documents as errors.
import { t } from './text.js';
import { toast } from './overlay.js';

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

const busy = () => ({ title: t('Bağlantı yok', 'No connection'), detail: t('Sunucuya ulaşılamadı.', 'The server cannot be reached.') });

// body: a FormData, or anything JSON. Gives the parsed JSON (null for 204). Throws ApiError (status 0: no connection), and
// AbortError if `signal` was used. A 401 also says where to sign in; what was typed stays.
export async function api(path, { method = 'GET', body, headers = {}, signal } = {}) {
  const sent = { Accept: 'application/json', ...headers };
  if (method !== 'GET' && method !== 'HEAD') sent['X-CSRF-Token'] = document.body.dataset.csrf;
  let payload = body;
  if (body !== undefined && !(body instanceof FormData)) {
    sent['Content-Type'] = 'application/json';
    payload = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, body: payload, headers: sent, signal, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, busy());
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  if (answer.status === 401) {
    toast(t('Oturumunuz bitti. Yeni sekmede giriş yapıp yeniden deneyin; yazdıklarınız duruyor.',
      'Your session ended. Sign in in another tab and try again; what you typed is still here.'),
    'warn', { href: document.body.dataset.signIn, text: t('Giriş yap', 'Sign in') });
  }
  throw new ApiError(answer.status, found);
}
