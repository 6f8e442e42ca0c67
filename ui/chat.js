// Chat: one conversation at a time, its list beside it. What a transcript has comes as messages, what is being said as
// text that grows; a run's line disappears when its messages are there.
import { h, fill, add, icon, iconButton, button, select, toast, attempt, count } from './dom.js';
import { wire } from './wire.js';
import * as outbox from './outbox.js';
import { render } from './markdown.js';
import { message, attachResult, isResult } from './messages.js';
import { approvals } from './decided.js';
import { Waiting } from './waiting.js';
import { sessionList, titleOf } from './sessions.js';
import { composer } from './composer.js';

const BROKEN = ['aborted', 'error'];
/** The agent whose conversations have short names. */
let standard = 'main';
const whole = (key) => (/^(agent:|global$|unknown$)/.test(key) ? key : `agent:${standard}:${key}`);

const LEVELS = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'];

export function mount(root, app, arg) {
  const view = new Chat(root, app);
  view.open(arg || view.last());
  return { arg: (key) => view.open(key || view.last()), leave: () => view.leave() };
}

class Chat {
  constructor(root, app) {
    this.app = app;
    this.runs = new Map();
    this.results = new Map();
    this.shown = new Set();
    /** Runs whose end was told: what is told of them later does not bring them back. */
    this.over = new Set();
    this.notes = new Map();
    this.late = null;
    this.models = [];
    this.thread = h('div.thread', { role: 'log', 'aria-label': 'Conversation', 'aria-live': 'polite', tabindex: 0 });
    this.status = h('p.unseen', { role: 'status' });
    this.newest = button([icon('down'), 'Newest'], () => this.toEnd(true), { class: 'newest', hidden: true });
    this.list = sessionList({ open: (key) => app.go('chat', key), chosen: () => this.showList(false), renamed: () => this.refresh(), gone: (key) => this.gone(key) });
    this.title = h('h1', { tabindex: -1 }, 'Chat');
    this.meta = h('div.chat-meta');
    this.composer = composer({
      send: (text, images) => this.waiting.send(outbox.add(this.info?.key || this.key, text, images)),
      stop: () => this.stop(),
    });
    const toggle = iconButton('chat', 'Conversations', () => this.showList(!root.classList.contains('listing')), { class: 'list-button' });
    add(root, this.list.root,
      h('section.chat', { 'aria-label': 'Conversation' },
        h('header.chat-head', null, toggle, this.title, this.meta),
        h('div.thread-box', null, this.thread, this.newest), this.status, this.composer.root));
    this.root = root;
    this.thread.addEventListener('scroll', () => this.scrolled());
    this.offs = [
      wire.on('open', () => this.begin()),
      wire.on('chat', (e) => this.said(e)),
      wire.on('agent', (e) => this.step(e)),
      wire.on('session.message', (e) => this.wrote(e)),
      wire.on('sessions.changed', (e) => this.changed(e)),
    ];
    this.approvals = approvals();
    this.waiting = new Waiting(this);
    this.offs.push(this.approvals.leave, this.waiting.leave);
    this.begin();
  }

  leave() {
    for (const off of this.offs) off();
    this.list.leave();
    this.composer.leave();
    if (this.key && wire.isOpen) wire.call('sessions.messages.unsubscribe', { key: this.key }).catch(() => {});
  }

  last() {
    try {
      return sessionStorage.getItem('openclaw.chat') || 'main';
    } catch {
      return 'main';
    }
  }

  showList(is) {
    this.root.classList.toggle('listing', is);
    if (is) this.list.focus();
  }

  async begin() {
    if (!wire.isOpen) return;
    this.list.load();
    wire.call('sessions.subscribe').catch(() => {});
    if (this.key) this.load();
  }

  open(key) {
    this.showList(false);
    if (key === this.key) return;
    if (this.key && wire.isOpen) wire.call('sessions.messages.unsubscribe', { key: this.key }).catch(() => {});
    this.key = key;
    this.list.show(key);
    this.runs.clear();
    this.info = null;
    try {
      sessionStorage.setItem('openclaw.chat', key);
    } catch {
      // Then the next visit begins with the main one.
    }
    this.without(h('p.muted.centre', null, wire.state === 'lost' ? 'The conversation is shown when the gateway is back.' : 'Loading…'));
    this.composer.open(key);
    if (wire.isOpen) this.load();
  }

  gone(key) {
    if (key === this.key) this.app.go('chat', 'main');
  }

  /** The conversation itself is not here; what waits to be sent is. */
  without(what) {
    this.live = h('div.live');
    fill(this.thread, what, this.live);
    this.place();
  }

  /** At the end: what is being said, and what waits. */
  place() {
    for (const run of this.runs.values()) this.live.prepend(run.node);
    this.waiting.place();
  }

  /** Everything anew: at first, and after each time the connection was away. */
  async load() {
    const key = this.key;
    const sent = this.waiting.all.filter((p) => p.state === 'sent');
    this.late = [];
    try {
      const [start] = await Promise.all([
        wire.call('chat.startup', { sessionKey: key, limit: 150, maxBytes: 1500000 }),
        wire.call('sessions.messages.subscribe', { key }).catch(() => {}),
      ]);
      if (key !== this.key) return;
      this.start = start;
      this.over.clear();
      this.info = start.sessionInfo;
      standard = start.agentsList?.defaultId || standard;
      this.list.agents(start.agentsList);
      this.models = start.metadata?.models || [];
      this.composer.commands(start.metadata?.commands || []);
      this.waiting.reconcile(start, sent);
      this.draw(start.messages);
      this.running(this.info?.activeRunIds || []);
      this.refresh();
    } catch (e) {
      this.late = null;
      if (key === this.key) this.without(h('div.empty', { role: 'alert' }, h('p', null, e.message), button('Try again', () => this.load())));
    }
  }

  draw(messages) {
    this.results = new Map();
    this.shown = new Set(messages.map((m) => m.__openclaw?.id));
    this.notes = new Map();
    const nodes = messages.map((m) => this.node(m)).filter(Boolean);
    const name = this.agentName();
    fill(this.thread, nodes.length ? nodes : h('div.empty.hello', null,
      h('p.big', null, `Talk to ${name}`),
      h('p.muted', null, 'Type / for commands. Paste or drop pictures.')));
    this.live = h('div.live');
    this.thread.append(this.live);
    this.place();
    for (const run of this.runs.values()) this.does(run, run.what);
    this.approvals.look(this.results);
    for (const e of this.late?.splice(0) || []) this.wrote(e);
    this.late = null;
    this.toEnd(true);
  }

  /** The element of a message; results go into the call they answer, and are none of their own. */
  node(m) {
    if (isResult(m)) {
      attachResult(this.results, m);
      return null;
    }
    const node = message(m, this.results);
    if (BROKEN.includes(m.stopReason)) this.notes.set(m.__openclaw?.runId, node);
    return node;
  }

  agentName() {
    const first = this.start?.agentsList?.defaultId || wire.hello?.snapshot?.sessionDefaults?.defaultAgentId;
    // Before the conversation is here its key says whose it is, or that it is the first agent's.
    const id = (this.info?.key || this.key)?.match(/^agent:([^:]+):/)?.[1] || first;
    const agent = this.start?.agentsList?.agents?.find((a) => a.id === id);
    return agent?.identity?.name || agent?.name || id || 'your agent';
  }

  isMine = (key) => [this.key, this.info?.key].some((mine) => mine && whole(mine) === whole(key));

  /** A message that the transcript has now. */
  wrote(e) {
    const { sessionKey, message: m, messageId } = e;
    if (!this.isMine(sessionKey) || !this.live || this.shown.has(messageId)) return;
    if (this.late) this.late.push(e);
    this.shown.add(messageId);
    const { idempotencyKey, runId } = m.__openclaw || {};
    this.waiting.take((p) => p.runId === idempotencyKey);
    this.thread.querySelector('.hello')?.remove();
    // A command stands in no transcript, its answer does.
    if (m.role === 'assistant') this.waiting.settle((p) => p.runId === runId && p.text?.startsWith('/'));
    const note = this.notes.get(runId);
    // What was stopped before its turn came stands above what is said after it.
    if (m.role === 'user') this.waiting.clear();
    const node = this.node(m);
    if (isResult(m)) this.approvals.look(this.results);
    if (node) {
      // What broke off says so itself, where the note of it stands.
      if (BROKEN.includes(m.stopReason) && note?.isConnected) note.replaceWith(node);
      else this.live.before(node);
      if (m.role === 'assistant') for (const run of this.runs.values()) this.quiet(run);
    }
    this.toEnd();
  }

  running(all) {
    const ids = all.filter((id) => !this.over.has(id));
    for (const id of this.runs.keys()) if (!ids.includes(id)) this.end(id);
    // One at a time in a conversation: others are messages that are answered together with it.
    const next = this.runs.size ? null : ids.find((id) => !this.waiting.has(id));
    if (next) this.run(next);
  }

  /** The one that has the turn, whichever stood there in its place. */
  begun(id) {
    const run = this.run(id);
    if (run && !run.isBegun) {
      run.isBegun = true;
      for (const other of [...this.runs.values()]) if (!other.isBegun) this.end(other.id);
    }
    return run;
  }

  run(id) {
    let run = this.runs.get(id);
    if (!run && this.live && !this.over.has(id)) {
      const text = h('div.md');
      const line = h('p.working', null, h('span.dots', null, h('i'), h('i'), h('i')), h('span'));
      run = { id, text, line, node: h('article.message.assistant.running', { 'aria-busy': 'true' }, text, line) };
      this.does(run, 'is working');
      this.runs.set(id, run);
      this.live.prepend(run.node);
      this.status.textContent = `${this.agentName()} is working`;
      this.composer.busy(true);
      this.toEnd();
    }
    return run;
  }

  /** What the agent does in it; its name may be known only later. */
  does(run, what) {
    run.what = what;
    run.line.lastChild.textContent = `${this.agentName()} ${what}`;
  }

  /** What was said so far stands in the transcript; the run goes on. */
  quiet(run) {
    render(run.text, '');
    run.line.hidden = false;
  }

  end(id) {
    const run = this.runs.get(id);
    if (!run) return;
    run.node.remove();
    this.runs.delete(id);
    if (this.runs.size) return;
    this.composer.busy(false);
    // Behind what is still told of the end.
    setTimeout(() => this.runs.size || this.waiting.clear(), 500);
  }

  said(e) {
    if (!this.isMine(e.sessionKey) || !this.live) return;
    const words = (e.message?.content || []).filter((c) => c.type === 'text').map((c) => c.text).join('');
    if (e.state === 'delta') {
      const run = this.begun(e.runId);
      if (!run) return;
      render(run.text, words);
      run.line.hidden = true;
      this.toEnd();
      return;
    }
    // A command's answer is in no transcript, nor is a failure's reason.
    const last = this.live.previousElementSibling;
    const stands = last?.dataset.text === words.trim();
    const isDropped = e.state === 'aborted' && !this.runs.has(e.runId) && this.waiting.has(e.runId);
    this.over.add(e.runId);
    this.end(e.runId);
    if (isDropped) this.waiting.drop((p) => p.runId === e.runId);
    else this.waiting.settle((p) => p.runId === e.runId);
    if (e.state === 'final') {
      if (words && !stands) setTimeout(() => this.missing(words, e), 150);
      this.status.textContent = `${this.agentName()} has answered`;
    } else {
      const text = e.state === 'aborted' ? 'Stopped.' : e.errorMessage || 'It failed.';
      // Unless what it had said by then says so, which may be told a moment later too.
      if (!isDropped && !this.notes.has(e.runId)) {
        const told = this.toldLast(text);
        const note = told || h('div.outcome', { class: e.state === 'error' ? 'bad' : '', role: 'status' }, e.state === 'error' && icon('warn'), text);
        this.notes.set(e.runId, note);
        if (!told) this.live.before(note);
      }
      this.status.textContent = text;
    }
    if (!this.runs.size) this.waiting.clear();
    this.list.soon();
    this.toEnd();
  }

  /** What stands last and says this end already: messages that were answered together end together, each by its own run. */
  toldLast(text) {
    const last = this.live.previousElementSibling;
    if (![...this.notes.values()].includes(last)) return null;
    const says = last.matches('.outcome') ? last : [...last.querySelectorAll('.outcome')].at(-1);
    return says?.textContent === text ? last : null;
  }

  /** Shows an answer unless the transcript has told of it meanwhile. */
  missing(words, e) {
    const shown = [...this.thread.querySelectorAll('.message')].slice(-4);
    if (shown.some((node) => node.dataset.text === words.trim())) return;
    this.live.before(message({ role: 'assistant', content: [{ type: 'text', text: words }], timestamp: Date.now(), usage: e.usage }, this.results));
    this.toEnd();
  }

  step(e) {
    if (!this.isMine(e.sessionKey) || !this.live) return;
    if (e.stream === 'lifecycle' && e.data.phase === 'start') this.begun(e.runId);
    if (e.stream === 'lifecycle' && e.data.phase === 'fallback') toast(`${e.data.from} failed, ${e.data.to} takes over: ${e.data.reason || ''}`);
    if (e.stream === 'tool' && e.data.phase === 'start') {
      const run = this.run(e.runId);
      if (run) this.does(run, `uses ${e.data.name}`);
    }
    if (e.stream === 'lifecycle' && ['end', 'error'].includes(e.data.phase)) setTimeout(() => this.end(e.runId), 1500);
  }

  changed(e) {
    this.list.changed(e);
    if (!this.isMine(e.sessionKey)) return;
    if (e.session) {
      // The whole row: what it does not have is not so any more.
      this.info = e.session;
      this.refresh();
    }
    if (e.activeRunIds) this.running(e.activeRunIds);
    if (['reset', 'new', 'compact'].includes(e.reason)) this.load();
  }

  stop() {
    // The one that goes on; those that wait have their turn.
    const run = [...this.runs.values()].find((r) => r.isBegun) || [...this.runs.values()][0];
    attempt(() => wire.call('chat.abort', { sessionKey: this.key, ...(run ? { runId: run.id } : {}) }));
  }

  /** Title, model, thinking and how full the window is. */
  refresh() {
    const row = this.info || {};
    this.title.textContent = titleOf({ key: this.key, ...this.list.row(row.key), ...row });
    const chosen = row.model ? `${row.modelProvider}/${row.model}` : '';
    const standard = this.start?.defaults?.model ? `${this.start.defaults.modelProvider}/${this.start.defaults.model}` : 'openclaw/builtin';
    const names = this.models.map((m) => [`${m.provider}/${m.id}`, m.name || m.id]);
    const known = names.some(([id]) => id === (chosen || standard));
    const models = known ? names : [[chosen || standard, chosen || standard], ...names];
    const patch = (members) => attempt(async () => {
      const done = await wire.call('sessions.patch', { key: this.key, ...members });
      if (done.resolved) this.info = { ...this.info, ...done.resolved, ...('thinkingLevel' in members ? { thinkingLevel: members.thinkingLevel || undefined } : {}) };
      this.refresh();
    });
    const used = row.totalTokens || 0;
    const window = row.contextTokens || this.start?.defaults?.contextTokens || 0;
    const level = row.thinkingLevel || this.start?.thinkingLevel || 'off';
    fill(this.meta,
      select(models, chosen || standard, (id) => patch({ model: id === standard ? null : id }), { 'aria-label': 'Model', title: 'Model' }),
      select(LEVELS.map((l) => [l, l === 'off' ? 'no thinking' : `thinking: ${l}`]), level,
        async (l) => { await patch({ thinkingLevel: l }); if (l !== 'off') this.tellEffect(); }, { 'aria-label': 'Thinking', title: 'How much the model reasons' }),
      window > 0 && h('span.window', { title: `${used} of ${window} tokens of the model’s window` },
        h('meter', { min: 0, max: window, high: window * 0.8, value: used, 'aria-label': 'Window in use' }), `${count(used)} / ${count(window)}`));
  }

  /** Says where a level of thinking comes to nothing, or to less. */
  async tellEffect() {
    const id = this.meta.querySelector('select').value;
    const { models } = await wire.call('models.list', { includeDetails: true }).catch(() => ({ models: [] }));
    const model = models.find((m) => `${m.provider}/${m.id}` === id);
    const note = model && (model.reasoning ? model.thinkingNote : `${id} is not marked as a model that reasons, so this counts with other models.`);
    if (note) toast(note);
  }

  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.thread;
    this.away = scrollHeight - scrollTop - clientHeight > 90;
    this.newest.hidden = !this.away;
  }

  toEnd(always) {
    if (this.away && !always) return;
    this.away = false;
    this.newest.hidden = true;
    this.thread.scrollTop = this.thread.scrollHeight;
  }
}
