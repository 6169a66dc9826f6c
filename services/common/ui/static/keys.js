// Keyboard shortcuts, and the overlay (?) that lists them.
import { t } from './text.js';
import { el } from './dom.js';
import { openDialog } from './overlay.js';

const known = new Map(); // 'g i' -> { run, text }
let typed = [];
let timer;

// keys({ 'g i': [run, 'Gelen kutusu'], 'ctrl+Enter': run }). A sequence is separated by blanks; modifiers ctrl+, alt+,
// shift+ (Ctrl also answers to ⌘). Plain keys are left alone while somebody types; those with ctrl or alt and F-keys are not.
export function keys(map) {
  for (const [sequence, value] of Object.entries(map)) {
    const [run, text] = Array.isArray(value) ? value : [value, ''];
    known.set(sequence, { run, text });
  }
}

function name(event) {
  const key = event.key === ' ' ? 'Space' : event.key;
  const shifted = event.shiftKey && key.length > 1 ? 'shift+' : '';
  return (event.ctrlKey || event.metaKey ? 'ctrl+' : '') + (event.altKey ? 'alt+' : '') + shifted + (key.length === 1 ? key.toLocaleLowerCase('en') : key);
}

const typing = (node) => node.closest?.('input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]');

// Elements with data-keys: fields get the focus, everything else is pressed. Those in the topmost dialog come first.
function marked(sequence) {
  const dialogs = document.querySelectorAll('dialog[open]');
  const root = dialogs.length ? dialogs[dialogs.length - 1] : document;
  const node = [...root.querySelectorAll('[data-keys]')].find((one) => one.dataset.keys === sequence && !one.disabled && one.getClientRects().length);
  if (!node) return null;
  return () => (node.matches('input:not([type=checkbox], [type=radio]), textarea, select') ? (node.focus(), node.select?.()) : node.click());
}

document.addEventListener('keydown', (event) => {
  if (event.isComposing || event.defaultPrevented || ['Control', 'Shift', 'Alt', 'AltGraph', 'Meta'].includes(event.key)) return;
  if (event.getModifierState('AltGraph')) return; // Turkish keyboards write @, #, { with it
  const key = name(event);
  if (typing(event.target) && !/^(ctrl|alt)\+|^(shift\+)?F\d/.test(key)) return;
  clearTimeout(timer);
  typed = [...typed.slice(-2), key];
  timer = setTimeout(() => { typed = []; }, 1200);
  for (let from = 0; from < typed.length; from += 1) {
    const sequence = typed.slice(from).join(' ');
    const run = marked(sequence) || (document.querySelector('dialog[open]') && !key.includes('+') ? null : known.get(sequence)?.run);
    if (run) {
      event.preventDefault();
      typed = [];
      run(event);
      return;
    }
  }
});

function label(node) {
  const text = node.labels?.[0] || node;
  const copy = text.cloneNode(true);
  for (const part of copy.querySelectorAll('.keys, .optional')) part.remove();
  return node.getAttribute('aria-label') || copy.textContent.trim();
}

export function help() {
  document.getElementById('help')?.remove();
  const rows = new Map([['?', t('Bu liste', 'This list')]]);
  for (const node of document.querySelectorAll('[data-keys]')) if (node.getClientRects().length) rows.set(node.dataset.keys, label(node));
  for (const [sequence, { text }] of known) if (text) rows.set(sequence, text);
  const list = el('dl', { class: 'help-list' });
  for (const [sequence, text] of rows) {
    list.append(el('dt', {}, el('span', { class: 'keys' }, ...sequence.split(' ').map((key) => el('kbd', {}, key)))), el('dd', {}, text));
  }
  document.body.append(el('dialog', { id: 'help', class: 'dialog', 'aria-labelledby': 'help-title' },
    el('div', { class: 'dialog-head' }, el('h2', { id: 'help-title' }, t('Klavye kısayolları', 'Keyboard shortcuts')),
      el('button', { type: 'button', class: 'button plain small', 'data-close': true }, t('Kapat', 'Close'))),
    el('div', { class: 'dialog-body' }, list)));
  openDialog('help');
}

keys({ '?': help });
document.addEventListener('click', (event) => { if (event.target.closest('[data-help]')) help(); });
