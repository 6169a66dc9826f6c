// Server-sent events that come back after a lost connection, with the bar that says so.
const bar = () => document.getElementById('lost');
const open = new Set();
const lost = new Set();

function show() {
  if (bar()) bar().hidden = lost.size === 0;
}

// handlers: { eventName: (data, event) => … } (data parsed from JSON). onBack runs after a connection came back: load again
// what may have been missed. Gives a function that ends it. Waits 1, 2, 4 … 30 s between tries; the browser's own
// Last-Event-ID does not outlive a new EventSource, so the last id goes along as ?last=.
export function live(url, handlers, { onBack = () => {} } = {}) {
  const me = {};
  let source, timer, opened = 0, tries = 0, wasLost = false, lastId = '';
  open.add(me);

  function connect() {
    const address = new URL(url, location.href);
    if (lastId) address.searchParams.set('last', lastId);
    source = new EventSource(address);
    source.onopen = () => {
      opened = Date.now();
      lost.delete(me);
      show();
      if (wasLost) onBack();
      wasLost = false;
    };
    source.onerror = () => {
      source.close();
      if (opened && Date.now() - opened > 5000) tries = 0; // one that ends as soon as it opens is not asked faster and faster
      opened = 0;
      wasLost = true;
      lost.add(me);
      // one quick new try (a stream also ends when its token did) before the bar says anything
      if (tries > 0) show();
      timer = setTimeout(connect, tries === 0 ? 300 : Math.min(30_000, 1000 * 2 ** (tries - 1)) * (0.75 + Math.random() / 2));
      tries += 1;
    };
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) lastId = event.lastEventId;
        handler(event.data ? JSON.parse(event.data) : null, event);
      });
    }
  }

  function online() {
    if (!lost.has(me)) return;
    clearTimeout(timer);
    source.close();
    connect();
  }

  addEventListener('online', online);
  connect();
  return () => {
    removeEventListener('online', online);
    clearTimeout(timer);
    source.close();
    open.delete(me);
    lost.delete(me);
    show();
  };
}

addEventListener('offline', () => {
  for (const one of open) lost.add(one);
  show();
});
