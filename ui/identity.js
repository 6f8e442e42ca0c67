// Who this browser is to the gateway: an Ed25519 key that never leaves it, and the tokens it was given.
//
// The private key lies in the browser's own database and cannot be read out of it, by this page neither. The shared token
// is kept for as long as the page is open; what stays is the token that the gateway made for this browser alone.

const DATABASE = 'openclaw';
const TOKEN = `openclaw.device-token:${location.pathname}`;

/** Why there is no identity: `insecure` or `unable`. */
export class NoIdentity extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

function database() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore('keys');
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const base64url = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');

let known = null;

/** `{id, publicKey, sign}`, made when there is none yet. */
export function identity() {
  known ??= made().catch((e) => { known = null; throw e; });
  return known;
}

async function made() {
  if (!globalThis.isSecureContext || !crypto.subtle) throw new NoIdentity('insecure');
  let pair;
  let db = null;
  try {
    db = await database();
    pair = await done(db.transaction('keys').objectStore('keys').get('device'));
  } catch {
    // Without a database (some private windows) the identity lasts as long as the page.
  }
  if (!pair) {
    try {
      pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
    } catch {
      throw new NoIdentity('unable');
    }
    try {
      if (db) await done(db.transaction('keys', 'readwrite').objectStore('keys').put(pair, 'device'));
    } catch {
      // As above.
    }
  }
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  return {
    id: hex(await crypto.subtle.digest('SHA-256', raw)),
    publicKey: base64url(raw),
    sign: async (text) => base64url(await crypto.subtle.sign('Ed25519', pair.privateKey, new TextEncoder().encode(text))),
  };
}

function storage(work) {
  try {
    return work(localStorage);
  } catch {
    return null;
  }
}

export const deviceToken = () => storage((s) => s.getItem(TOKEN));
export const keepToken = (token) => storage((s) => s.setItem(TOKEN, token));
export const forgetToken = () => storage((s) => s.removeItem(TOKEN));

/** What the address brought behind its #, taken out of it at once: `{token, code}`. Nothing is taken from the query. */
export function fromAddress() {
  const params = new URLSearchParams(location.hash.replace(/^#/, ''));
  const found = { token: params.get('token') || params.get('password'), code: params.get('code') };
  if (!found.token && !found.code) return {};
  history.replaceState(null, '', location.pathname + location.search);
  return found;
}
