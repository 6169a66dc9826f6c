// One card of the page: asks when it is seen, shows that it waits, that nothing is there, or what went wrong.
import { el, icon, t } from '../app.js';
import { plainTable } from './bars.js';

export class Card {
  // spec: load(state) → answer(s), nothing(answer), note(answer, state), draw(body, answer, state, card), table(answer, state)
  constructor(node, spec, onSeen) {
    this.node = node;
    this.spec = spec;
    this.key = node.dataset.card;
    this.title = node.querySelector('h2').textContent;
    this.body = node.querySelector('[data-body]');
    this.note = node.querySelector('[data-note]');
    this.toggle = node.querySelector('[data-as-table]');
    this.seen = false;
    this.turn = 0;
    this.toggle.addEventListener('click', () => {
      this.toggle.setAttribute('aria-pressed', String(!this.asTable));
      this.show();
    });
    const sight = new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen) onSeen(this);
    }, { rootMargin: '200px' });
    sight.observe(node);
  }

  get asTable() { return this.toggle.getAttribute('aria-pressed') === 'true'; }

  // Asks; an answer that a later question overtook is not shown.
  async load(state) {
    const turn = (this.turn += 1);
    this.node.setAttribute('aria-busy', 'true');
    try {
      const answer = await this.spec.load(state);
      if (turn !== this.turn) return;
      this.answer = answer;
      this.state = state;
      await this.show();
    } catch (error) {
      if (turn === this.turn) this.failed(error, state);
    } finally {
      if (turn === this.turn) this.node.setAttribute('aria-busy', 'false');
    }
  }

  async show() {
    const { spec, answer, state } = this;
    const nothing = spec.nothing(answer);
    this.note.textContent = nothing ? '' : spec.note?.(answer, state) || '';
    this.toggle.hidden = nothing || !spec.table;
    if (nothing) this.body.replaceChildren(empty(nothing === true ? t('Bu dönemde ve süzgeçte başvuru yok', 'No request in this period and filter') : nothing));
    else if (this.asTable && spec.table) plainTable(this.body, spec.table(answer, state), this.title);
    else await spec.draw(this.body, answer, state, this);
  }

  failed(error, state) {
    const wrong = error.problem?.errors?.map((one) => `${one.field}: ${one.message}`).join('; ');
    const retry = el('button', { type: 'button', class: 'button plain small' }, icon('refresh'), t('Yeniden dene', 'Try again'));
    retry.addEventListener('click', () => this.load(state));
    this.note.textContent = '';
    this.toggle.hidden = true;
    this.body.replaceChildren(el('div', { class: 'figure-empty figure-wrong', role: 'alert' }, icon('alert'), el('p', {}, t('Bu sayılar alınamadı', 'These figures could not be fetched')),
      el('p', { class: 'small-text' }, wrong || error.message), retry));
  }
}

function empty(text) {
  return el('div', { class: 'figure-empty' }, icon('search'), el('p', {}, text));
}
