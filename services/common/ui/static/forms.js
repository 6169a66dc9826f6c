// Forms: no double sending, and a question before typed text is lost. A script that sends a form itself listens on the form
// and prevents the default there.
const dirty = new Set();

document.addEventListener('input', (event) => {
  const form = event.target.form;
  if (form?.hasAttribute('data-keep')) dirty.add(form);
});

document.addEventListener('submit', (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  if (form.getAttribute('method')?.toLowerCase() !== 'post') return; // (form.method may be a field of that name)
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = '1';
  dirty.delete(form);
  event.submitter?.setAttribute('aria-busy', 'true');
  setTimeout(() => release(form), 15_000);
});

function release(form) {
  delete form.dataset.sent;
  form.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
}

// A page that comes back from the browser's memory may send again.
addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach(release));

addEventListener('beforeunload', (event) => {
  for (const form of dirty) if (!form.isConnected) dirty.delete(form);
  if (dirty.size) event.preventDefault();
});

// Says that what was typed into a form (data-keep) is safe now.
export function clean(form) {
  dirty.delete(form);
}
