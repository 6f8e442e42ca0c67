// Chat: one conversation at a time, its list beside it. What a transcript has comes as messages, what is being said as
// text that grows; a run's line disappears when its messages are there.
import { h, fill, add, icon, iconButton, button, select, toast, attempt, count } from './dom.js';
import { wire } from './wire.js';
import { render, markdown } from './markdown.js';
import { message, attachResult, isResult, textOf } from './messages.js';
import { sessionList, titleOf } from './sessions.js';
import { composer } from './composer.js';

const BROKEN = ['aborted', 'error'];
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
    this.pending = [];
    this.models = [];
    this.thread = h('div.thread', { role: 'log', 'aria-label': 'Conversation', 'aria-live': 'polite', tabindex: 0 });
    this.status = h('p.unseen', { role: 'status' });
    this.newest = button([icon('down'), 'Newest'], () => this.toEnd(true), { class: 'newest', hidden: true });
    this.list = sessionList({ open: (key) => app.go('chat', key), chosen: () => this.showList(false), renamed: () => this.refresh(), gone: (key) => this.gone(key) });
    this.title = h('h1', { tabindex: -1 }, 'Chat');
    this.meta = h('div.chat-meta');
    this.composer = composer({
      send: (text, images) => this.send(text, images),
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
    this.begin();
  }

  leave() {
    for (const off of this.offs) off();
    this.list.leave();
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
    this.pending = [];
    this.info = null;
    try {
      sessionStorage.setItem('openclaw.chat', key);
    } catch {
      // Then the next visit begins with the main one.
    }
    fill(this.thread, h('p.muted.centre', null, 'Loading…'));
    this.composer.open(key);
    if (wire.isOpen) this.load();
  }

  gone(key) {
    if (key === this.key) this.app.go('chat', 'main');
  }

  /** Everything anew: at first, and after each time the connection was away. */
  async load() {
    const key = this.key;
    try {
      const [start] = await Promise.all([
        wire.call('chat.startup', { sessionKey: key, limit: 150, maxBytes: 1500000 }),
        wire.call('sessions.messages.subscribe', { key }).catch(() => {}),
      ]);
      if (key !== this.key) return;
      this.start = start;
      this.info = start.sessionInfo;
      this.list.agents(start.agentsList);
      this.models = start.metadata?.models || [];
      this.composer.commands(start.metadata?.commands || []);
      this.pending = this.pending.filter((p) => !p.isSent);
      this.draw(start.messages);
      this.running(this.info?.activeRunIds || []);
      this.refresh();
    } catch (e) {
      if (key === this.key) fill(this.thread, h('div.empty', { role: 'alert' }, h('p', null, e.message), button('Try again', () => this.load())));
    }
  }

  draw(messages) {
    this.results = new Map();
    const nodes = messages.map((m) => this.node(m)).filter(Boolean);
    const name = this.agentName();
    fill(this.thread, nodes.length ? nodes : h('div.empty.hello', null,
      h('p.big', null, `Talk to ${name}`),
      h('p.muted', null, 'Type / for commands. Paste or drop pictures.')));
    this.live = h('div.live');
    this.thread.append(this.live);
    for (const p of this.pending) this.live.append(p.node);
    this.toEnd(true);
  }

  /** The element of a message; results go into the call they answer, and are none of their own. */
  node(m) {
    if (isResult(m)) {
      attachResult(this.results, m);
      return null;
    }
    return message(m, this.results);
  }

  agentName() {
    const id = this.info?.key?.split(':')[1] || this.start?.agentsList?.defaultId;
    const agent = this.start?.agentsList?.agents?.find((a) => a.id === id);
    return agent?.identity?.name || agent?.name || id || 'your agent';
  }

  isMine = (key) => key === this.key || key === this.info?.key || key === `agent:${this.start?.agentsList?.defaultId}:${this.key}`;

  /** A message that the transcript has now. */
  wrote({ sessionKey, message: m }) {
    if (!this.isMine(sessionKey) || !this.live) return;
    if (m.role === 'user') {
      const text = textOf(m).trim();
      const at = this.pending.findIndex((p) => p.text === text);
      if (at >= 0) this.pending.splice(at, 1)[0].node.remove();
    }
    this.thread.querySelector('.hello')?.remove();
    // A command stands in no transcript, its answer does.
    const said = m.role === 'assistant' && this.pending.find((p) => p.text.startsWith('/'));
    if (said) this.settle((p) => p === said);
    const node = this.node(m);
    if (node) {
      // What broke off says so itself, where the note of it stands.
      if (this.note?.isConnected && BROKEN.includes(m.stopReason)) this.note.replaceWith(node);
      else this.live.before(node);
      if (m.role === 'assistant') for (const run of this.runs.values()) this.quiet(run);
    }
    this.toEnd();
  }

  running(ids) {
    for (const id of this.runs.keys()) if (!ids.includes(id)) this.end(id);
    for (const id of ids) this.run(id);
  }

  run(id) {
    let run = this.runs.get(id);
    if (!run && this.live) {
      const text = h('div.md');
      const line = h('p.working', null, h('span.dots', null, h('i'), h('i'), h('i')), h('span', null, `${this.agentName()} is working`));
      run = { id, text, line, node: h('article.message.assistant.running', { 'aria-busy': 'true' }, text, line) };
      this.runs.set(id, run);
      this.live.prepend(run.node);
      this.status.textContent = `${this.agentName()} is working`;
      this.composer.busy(true);
      this.toEnd();
    }
    return run;
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
    if (!this.runs.size) this.composer.busy(false);
  }

  said(e) {
    if (!this.isMine(e.sessionKey) || !this.live) return;
    const words = (e.message?.content || []).filter((c) => c.type === 'text').map((c) => c.text).join('');
    if (e.state === 'delta') {
      const run = this.run(e.runId);
      run.isBegun = true;
      render(run.text, words);
      run.line.hidden = true;
      this.toEnd();
      return;
    }
    // A command's answer is in no transcript, nor is a failure's reason.
    const last = this.live.previousElementSibling;
    const stands = last?.dataset.text === words.trim();
    this.end(e.runId);
    this.settle((p) => p.runId === e.runId);
    if (e.state === 'final') {
      if (words && !stands) setTimeout(() => this.missing(words, e), 150);
      this.status.textContent = `${this.agentName()} has answered`;
    } else {
      const text = e.state === 'aborted' ? 'Stopped.' : e.errorMessage || 'It failed.';
      // Unless what it had said by then says so, which may be told a moment later too.
      if (!last?.querySelector('.outcome')) {
        const note = this.note = h('div.outcome', { class: e.state === 'error' ? 'bad' : '', role: 'status' }, e.state === 'error' && icon('warn'), text);
        this.live.before(note);
        setTimeout(() => { if (this.note === note) this.note = null; }, 2000);
      }
      this.status.textContent = text;
    }
    this.list.soon();
    this.toEnd();
  }

  /** What was sent and is answered, or never will be, takes its place in the conversation. */
  settle(is) {
    for (const p of this.pending.filter(is)) {
      p.node.classList.remove('waiting');
      p.node.querySelector('.note')?.remove();
      this.live.before(p.node);
    }
    this.pending = this.pending.filter((p) => !is(p));
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
    if (e.stream === 'lifecycle' && e.data.phase === 'start') this.run(e.runId).isBegun = true;
    if (e.stream === 'lifecycle' && e.data.phase === 'fallback') toast(`${e.data.from} failed, ${e.data.to} takes over: ${e.data.reason || ''}`);
    if (e.stream === 'tool' && e.data.phase === 'start') {
      const run = this.run(e.runId);
      run.line.lastChild.textContent = `${this.agentName()} uses ${e.data.name}`;
    }
    if (e.stream === 'lifecycle' && ['end', 'error'].includes(e.data.phase)) setTimeout(() => this.end(e.runId), 1500);
  }

  changed(e) {
    this.list.changed(e);
    if (!this.isMine(e.sessionKey)) return;
    if (e.session) {
      this.info = { ...this.info, ...e.session };
      this.refresh();
    }
    if (e.activeRunIds) this.running(e.activeRunIds);
    if (['reset', 'new', 'compact'].includes(e.reason)) this.load();
  }

  async send(text, images) {
    const key = this.key;
    const runId = crypto.randomUUID?.() || `${Date.now()}-${Math.random().toString(16).slice(2)}`;
    const content = [{ type: 'text', text }, ...images.map((i) => ({ type: 'image', mimeType: i.mimeType, data: i.content }))];
    const node = message({ role: 'user', content, timestamp: Date.now() }, this.results);
    const mine = { text: text.trim(), node, runId, isSent: false };
    if (this.runs.size) {
      node.classList.add('waiting');
      node.append(h('p.note', null, 'Waits for the answer before it'));
    }
    this.thread.querySelector('.hello')?.remove();
    this.pending.push(mine);
    this.live?.append(node);
    this.toEnd(true);
    const attachments = images.map(({ content: data, mimeType, fileName }) => ({ type: 'image', mimeType, fileName, content: data }));
    const params = { sessionKey: key, message: text, idempotencyKey: runId, deliver: false };
    if (attachments.length) params.attachments = attachments;
    try {
      await wire.call('chat.send', params);
      mine.isSent = true;
    } catch (e) {
      node.classList.add('failed');
      const again = button('Send again', () => { node.remove(); this.pending.splice(this.pending.indexOf(mine), 1); this.send(text, images); });
      node.querySelector('.note')?.remove();
      node.append(h('p.note.bad', { role: 'alert' }, `Not sent: ${e.message}`, again));
    }
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
        (l) => patch({ thinkingLevel: l }), { 'aria-label': 'Thinking', title: 'How much the model reasons' }),
      window > 0 && h('span.window', { title: `${used} of ${window} tokens of the model’s window` },
        h('meter', { min: 0, max: window, high: window * 0.8, value: used, 'aria-label': 'Window in use' }), `${count(used)} / ${count(window)}`));
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
