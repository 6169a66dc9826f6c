// Asking for figures: three questions at once, and each only once between two changes.
import { api } from '../app.js';

const AT_ONCE = 3;
const waiting = [];
const known = new Map();
let running = 0;

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    const { run, done } = waiting.shift();
    run().finally(() => { running -= 1; next(); }).then(...done);
  }
}

// The answer of a report. (The browser keeps it with its ETag and asks whether it still holds.)
export function ask(path, query) {
  const url = query.size ? `${path}?${query}` : path;
  if (!known.has(url)) {
    const answer = new Promise((...done) => { waiting.push({ run: () => api(url), done }); next(); });
    answer.catch(() => known.delete(url));
    known.set(url, answer);
  }
  return known.get(url);
}

// What was answered before is asked anew.
export function forget() {
  known.clear();
}
