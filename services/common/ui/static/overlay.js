// Toasts and dialogs.
import { t } from './text.js';
import { el, icon } from './dom.js';

// tone: ok, info, warn, bad. link: { href, text } opens in a new tab. Warnings stay until they are closed.
export function toast(text, tone = 'ok', link = null) {
  const box = document.getElementById('toasts');
  for (const old of box.children) if (old.dataset.text === text) old.remove();
  const close = el('button', { type: 'button', class: 'button quiet icon-only', 'aria-label': t('Kapat', 'Close'), onclick: () => node.remove() }, icon('close'));
  const node = el('div', { class: `toast ${tone}`, 'data-text': text }, el('span', {}, text),
    link && el('a', { href: link.href, target: '_blank', rel: 'noopener' }, link.text), close);
  box.append(node);
  if (tone === 'ok' || tone === 'info') setTimeout(() => node.remove(), 6000);
}

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return dialog;
  dialog.showModal();
  (dialog.querySelector('[autofocus]') || dialog.querySelector('.dialog-body :is(input:not([type=hidden]), select, textarea, button)'))?.focus();
  return dialog;
}

document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-open]');
  if (opener) {
    event.preventDefault();
    openDialog(opener.dataset.open);
  }
  const closer = event.target.closest('[data-close]');
  if (closer) closer.closest('dialog')?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  const menu = document.activeElement?.closest('details.menu[open]') || document.querySelector('details.menu[open]');
  if (menu) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});
