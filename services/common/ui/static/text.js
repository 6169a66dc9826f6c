// The reader's language, Turkish first: t('Kaydedildi', 'Saved').
export const language = document.documentElement.lang === 'en' ? 'en' : 'tr';
export const t = (tr, en) => (language === 'en' ? en : tr);

const minute = 60_000;
const units = { tr: ['dakika', 'saat', 'gün'], en: ['minute', 'hour', 'day'] };

// As formats.span: the largest sensible unit, rounded down.
export function span(milliseconds) {
  const minutes = Math.floor(Math.abs(milliseconds) / minute);
  const [count, unit] = minutes < 60 ? [minutes, 0] : minutes < 2880 ? [Math.floor(minutes / 60), 1] : [Math.floor(minutes / 1440), 2];
  return `${count} ${units[language][unit]}${language === 'en' && count !== 1 ? 's' : ''}`;
}

// As formats.ago.
export function ago(at, now = Date.now()) {
  const past = now - new Date(at);
  return past < minute ? t('az önce', 'just now') : t(`${span(past)} önce`, `${span(past)} ago`);
}

// As formats.due: the text, and calm, soon or overdue.
export function due(at, now = Date.now()) {
  const left = new Date(at) - now;
  if (left <= 0) return [t(`${span(left)} gecikti`, `${span(left)} overdue`), 'overdue'];
  return [t(`${span(left)} kaldı`, `${span(left)} left`), left <= 240 * minute ? 'soon' : 'calm'];
}

// Keeps the relative times below a node true.
export function refreshTimes(root = document) {
  for (const node of root.querySelectorAll('time[data-ago]')) node.textContent = ago(node.dateTime);
  for (const node of root.querySelectorAll('time[data-due]')) {
    const [text, urgency] = due(node.dateTime);
    node.lastElementChild.textContent = text;
    node.classList.remove('calm', 'soon', 'overdue');
    node.classList.add(urgency);
  }
}
