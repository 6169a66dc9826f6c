// On every page. Pages with more to do import what they need from here.
import { t, refreshTimes } from './text.js';

export { t, language, ago, due, span, refreshTimes } from './text.js';
export { el, icon } from './dom.js';
export { api, ApiError } from './api.js';
export { live } from './live.js';
export { toast, openDialog } from './overlay.js';
export { keys, help } from './keys.js';
export { clean } from './forms.js';

const root = document.documentElement;
const theme = document.getElementById('theme');

theme?.addEventListener('click', (event) => {
  event.preventDefault();
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `ilkim_theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
});

document.addEventListener('click', async (event) => {
  const copied = event.target.closest('[data-copy]');
  if (!copied) return;
  await navigator.clipboard.writeText(copied.dataset.copy);
  const { toast } = await import('./overlay.js');
  toast(t('Kopyalandı', 'Copied'));
});

setInterval(() => refreshTimes(), 30_000);
