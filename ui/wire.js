// The one connection to the gateway: its WebSocket protocol, coming back by itself, and saying what goes on.
import { identity, deviceToken, keepToken, forgetToken, NoIdentity } from './identity.js';

const FIRST_WAIT = 400;
const MOST_WAIT = 15000;
const PAIRING_WAIT = 3000;
const ANSWER_MS = 60000;
const OPENING_MS = 5000;
const SCOPES = ['operator.admin', 'operator.approvals', 'operator.pairing'];

/** A failure that the gateway told: its words, code and details. */
export class Refused extends Error {
  constructor(error) {
    super(error?.message || 'the gateway refused');
    this.code = error?.code;
    this.details = error?.details || {};
    this.retryAfter = error?.retryAfterMs;
  }
}

class Wire {
  /** idle, connecting, open, lost (it tries again) or refused (somebody must do something). */
  state = 'idle';
  hello = null;
  /** Why it is lost or refused: `{kind, error, at}`. */
  why = null;
  #socket = null;
  #pending = new Map();
  #listeners = new Map();
  #next = 1;
  #wait = FIRST_WAIT;
  #timer = 0;
  #heard = 0;
  #secret = null;
  #code = null;
  #restarting = false;

  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  #tell(name, value) {
    for (const listener of [...(this.#listeners.get(name) || [])]) listener(value);
  }

  has = (method) => Boolean(this.hello?.features?.methods?.includes(method));
  get isOpen() { return this.state === 'open'; }

  /** Begins with a secret, a code that may be used once, or what this browser was given before. */
  start({ token, code } = {}) {
    this.#secret = token || null;
    this.#code = code || null;
    this.#wait = FIRST_WAIT;
    this.#open();
  }

  /** Tries now instead of later. */
  retry() {
    if (this.state !== 'lost' && this.state !== 'refused') return;
    this.#open();
  }

  signOut() {
    forgetToken();
    this.#secret = null;
    this.#drop();
    this.#set('refused', { kind: 'signed-out' });
  }

  #set(state, why = null) {
    this.state = state;
    this.why = why;
    this.#tell('state', this);
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const { reject } of this.#pending.values()) reject(new Error('the connection to the gateway was lost'));
    this.#pending.clear();
  }

  #open() {
    this.#drop();
    this.#set('connecting', this.why);
    const url = new URL('./', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.hash = url.search = '';
    const socket = new WebSocket(url);
    let wasOpen = false;
    this.#socket = socket;
    socket.onopen = () => { wasOpen = true; this.#heard = Date.now(); };
    socket.onmessage = (e) => {
      if (socket === this.#socket) this.#take(socket, JSON.parse(e.data));
    };
    socket.onclose = (e) => {
      if (socket !== this.#socket) return;
      if (this.state === 'refused') return;
      if (!wasOpen) return void this.#unreached(socket);
      const kind = e.code === 1012 || this.#restarting ? 'restarting' : 'lost';
      this.#later({ kind, reason: e.reason });
    };
  }

  /** No WebSocket came about: a page is not told why, so it asks. */
  async #unreached(socket) {
    const door = await this.door();
    if (socket !== this.#socket) return;
    if (door && !door.isOriginAllowed) return this.#later({ kind: 'origin' }, PAIRING_WAIT);
    this.#later({ kind: door ? 'blocked' : 'unreachable' });
  }

  /** What the gateway tells those who have not connected. */
  async door() {
    try {
      const asked = await fetch(`door.json?origin=${location.origin}`, { cache: 'no-store' });
      return asked.ok ? await asked.json() : null;
    } catch {
      return null;
    }
  }

  #later(why, wait) {
    this.#drop();
    const pause = wait ?? this.#wait * (0.8 + Math.random() * 0.4);
    this.#wait = Math.min(this.#wait * 1.7, MOST_WAIT);
    this.#set('lost', { ...why, at: Date.now() + pause });
    this.#timer = setTimeout(() => this.#open(), pause);
  }

  #refuse(why) {
    this.#drop();
    this.#set('refused', why);
  }

  async #take(socket, frame) {
    this.#heard = Date.now();
    if (frame.type === 'event' && frame.event === 'connect.challenge') return this.#introduce(socket, frame.payload);
    if (frame.type === 'res') {
      const waiting = this.#pending.get(frame.id);
      if (!waiting) return;
      this.#pending.delete(frame.id);
      clearTimeout(waiting.timer);
      return frame.ok ? waiting.resolve(frame.payload) : waiting.reject(new Refused(frame.error));
    }
    if (frame.type !== 'event') return;
    if (frame.event === 'shutdown') this.#restarting = frame.payload?.restartExpectedMs !== undefined;
    this.#tell(frame.event, frame.payload);
  }

  async #introduce(socket, challenge) {
    const code = this.#code;
    this.#code = null;
    const stored = !code && !this.#secret ? deviceToken() : null;
    try {
      const hello = await this.#send('connect', await this.#proof(challenge.nonce, code, stored));
      if (socket !== this.#socket) return;
      if (hello.auth?.deviceToken) {
        keepToken(hello.auth.deviceToken);
        this.#secret = null;
      }
      this.hello = hello;
      this.#wait = FIRST_WAIT;
      this.#restarting = false;
      this.#watch(hello.policy?.tickIntervalMs || 30000, socket);
      // Who begins to listen because it is open has no need to be told so.
      const told = [...(this.#listeners.get('open') || [])];
      this.#set('open');
      for (const listener of told) listener(hello);
    } catch (e) {
      if (socket === this.#socket) this.#failed(e, stored, code);
    }
  }

  async #proof(nonce, code, stored) {
    const client = {
      id: 'openclaw-control-ui', mode: 'webchat', version: '1', platform: navigator.platform || 'web',
      displayName: browserName(),
    };
    const auth = code ? { bootstrapToken: code }
      : this.#secret ? { token: this.#secret, password: this.#secret } : stored ? { deviceToken: stored } : {};
    const params = { minProtocol: 3, maxProtocol: 4, client, role: 'operator', scopes: SCOPES, caps: ['tool-events'],
      auth, locale: navigator.language };
    let self;
    try {
      self = await identity();
    } catch (e) {
      if (!(e instanceof NoIdentity)) throw e;
      this.noIdentity = e.reason;
      return params;
    }
    const signedAt = Date.now();
    const token = auth.token || auth.deviceToken || auth.bootstrapToken || '';
    const text = ['v2', self.id, client.id, client.mode, 'operator', SCOPES.join(','), signedAt, token, nonce].join('|');
    params.device = { id: self.id, publicKey: self.publicKey, signature: await self.sign(text), signedAt, nonce };
    return params;
  }

  #failed(error, stored, code) {
    if (!(error instanceof Refused)) return this.#later({ kind: 'lost', error });
    const { code: named, requestId } = error.details;
    if (requestId) {
      // Once it is approved the page goes on by itself.
      return this.#later({ kind: 'pairing', error }, PAIRING_WAIT);
    }
    if (error.code === 'UNAVAILABLE') return this.#later({ kind: 'busy', error }, error.retryAfter || 1000);
    if (error.retryAfter) return this.#later({ kind: 'limited', error }, error.retryAfter + 500);
    if (stored && /^unauthorized/.test(error.message)) forgetToken();
    const kind = this.noIdentity && /IDENTITY_REQUIRED/.test(named || '') ? this.noIdentity
      : /SIGNATURE_EXPIRED/.test(named || '') ? 'clock'
      : code ? 'code' : stored ? 'revoked' : this.#secret ? 'wrong' : 'missing';
    this.#secret = null;
    this.#refuse({ kind, error });
  }

  /** Notices a connection that is dead without having ended. */
  #watch(interval, socket) {
    const look = () => {
      if (socket !== this.#socket) return;
      if (Date.now() - this.#heard > interval * 2 + 5000) return this.#later({ kind: 'lost' }, 0);
      setTimeout(look, interval / 2);
    };
    setTimeout(look, interval);
  }

  #send(method, params, wait = ANSWER_MS) {
    return new Promise((resolve, reject) => {
      const id = String(this.#next++);
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`no answer to ${method} in time; it may still come about`));
      }, wait);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });
  }

  /** The connection may be there in a moment. */
  #opening() {
    return new Promise((resolve, reject) => {
      const gone = setTimeout(() => { off(); reject(new Error('not connected to the gateway at the moment')); }, OPENING_MS);
      const off = this.on('state', () => {
        if (!this.isOpen) return;
        clearTimeout(gone);
        off();
        resolve();
      });
    });
  }

  /** Calls a method; fails with the gateway's words. */
  async call(method, params = {}, wait) {
    if (!this.isOpen) await this.#opening();
    return this.#send(method, params, wait);
  }
}

function browserName() {
  const agent = navigator.userAgent;
  const name = /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox'
    : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : 'Browser';
  const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Mac/.test(agent) ? 'macOS'
    : /Windows/.test(agent) ? 'Windows' : /Linux/.test(agent) ? 'Linux' : 'this computer';
  return `${name} on ${system}`;
}

export const wire = new Wire();
addEventListener('online', () => wire.retry());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && wire.state === 'lost' && wire.why?.kind !== 'limited') wire.retry();
});
