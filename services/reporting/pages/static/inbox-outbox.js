// What could not be sent stays on this device (IndexedDB: texts and photos) until it is sent or dropped, a day at most.
const DAY = 24 * 3_600_000;

function store(mode) {
  return new Promise((done, failed) => {
    const opening = indexedDB.open('ilkim', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('outbox', { keyPath: 'key' });
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => done(opening.result.transaction('outbox', mode).objectStore('outbox'));
  });
}

async function ask(mode, question) {
  const found = question(await store(mode));
  return new Promise((done, failed) => {
    found.onsuccess = () => done(found.result);
    found.onerror = () => failed(found.error);
  });
}

export const put = (one) => ask('readwrite', (box) => box.put(one));
export const drop = (key) => ask('readwrite', (box) => box.delete(key));

export async function all() {
  const found = await ask('readonly', (box) => box.getAll());
  const old = found.filter((one) => Date.now() - one.at > DAY);
  for (const one of old) await drop(one.key);
  return found.filter((one) => !old.includes(one)).sort((a, b) => a.at - b.at);
}
