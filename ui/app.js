// The page begins here: theme, connection, navigation, and one module a page, loaded when it is first opened.
import { h, fill, add, icon, iconButton, select, button, toast, mark, mayBeLost, ENTERED } from './dom.js';
import { wire } from './wire.js';
import * as outbox from './outbox.js';
import { deviceToken, fromAddress } from './identity.js';
import * as chat from './chat.js';

const PAGES = [
  ['chat', 'Chat', async () => chat],
  ['overview', 'Overview', () => import('./overview.js')],
  ['channels', 'Channels', () => import('./channels.js')],
  ['devices', 'Devices', () => import('./devices.js')],
  ['cron', 'Cron', () => import('./cron.js')],
  ['approvals', 'Approvals', () => import('./approvals.js')],
  ['agents', 'Agents', () => import('./agents.js')],
  ['config', 'Config', () => import('./config.js')],
  ['logs', 'Logs', () => import('./logs.js')],
  ['usage', 'Usage', () => import('./usage.js')],
];

/** What pages share: where to go, and counts that stand at names of the navigation. */
const app = { go, badge, wire };
let opened = 0;
let shell = null;
let door = null;
let page = null;

function theme(chosen) {
  const name = chosen ?? remembered() ?? 'auto';
  if (name === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = name;
  try {
    if (chosen) localStorage.setItem('openclaw.theme', chosen);
  } catch {
    // It lasts as long as the page.
  }
  return name;
}

function remembered() {
  try {
    return localStorage.getItem('openclaw.theme');
  } catch {
    return null;
  }
}

/** What stands behind the # of the address, as it was written there. */
function place() {
  try {
    return decodeURI(location.hash.replace(/^#/, ''));
  } catch {
    return '';
  }
}

function route() {
  const [, name = '', ...rest] = place().split('/');
  const known = PAGES.find(([id]) => id === name);
  return { id: known ? name : 'chat', arg: rest.join('/') };
}

function go(id, arg = '') {
  location.hash = `/${id}${arg ? `/${encodeURI(arg)}` : ''}`;
}

function frame() {
  const nav = h('nav', { id: 'nav', 'aria-label': 'Pages' }, PAGES.map(([id, label]) =>
    h('a', { href: `#/${id}`, 'data-page': id }, icon(id), h('span', null, label), h('span.badge', { hidden: true }))));
  const menu = iconButton('menu', 'Menu', () => setMenu(!document.body.classList.contains('menu')),
    { class: 'menu-button', 'aria-expanded': 'false', 'aria-controls': 'side' });
  const themes = select([['auto', 'Theme: system'], ['light', 'Theme: light'], ['dark', 'Theme: dark']], theme(),
    (name) => theme(name), { 'aria-label': 'Theme' });
  const main = h('main', { id: 'main' });
  const side = h('aside.side', { id: 'side', 'aria-label': 'Navigation' },
    h('div.brand', null, mark(), h('span', null, 'OpenClaw')), nav,
    h('div.side-foot', null, h('p.link', { id: 'link' }), themes,
      button('Sign out of this browser', async () => { if (await mayLeave()) wire.signOut(); }, { class: 'quiet' })));
  const top = h('header.top', null, menu, h('span.top-title', { id: 'top-title' }));
  const banner = h('div.banner', { id: 'banner', role: 'status', hidden: true });
  const shade = h('div.shade', { onclick: () => setMenu(false) });
  return { root: [side, shade, h('div.body', null, top, banner, main)], main, menu };
}

function setMenu(open) {
  document.body.classList.toggle('menu', open);
  shell.menu.setAttribute('aria-expanded', open);
  if (open) document.querySelector('#nav a[aria-current]')?.focus();
}

function badge(id, n, kind) {
  const mark = document.querySelector(`#nav a[data-page="${id}"] .badge`);
  if (!mark) return;
  mark.hidden = !n;
  fill(mark, String(n), h('span.unseen', null, ' waiting'));
  mark.className = `badge ${kind || ''}`;
}

/** What is being edited and would be lost, in words: each page that edits says so itself, a dialog by what was typed into it. */
const unsaved = () => (document.querySelector('dialog[open][data-touched]') ? ENTERED : page?.handle?.unsaved?.() || '');
let asking = false;

async function mayLeave() {
  const words = unsaved();
  if (!words) return true;
  asking = true;
  const sure = await mayBeLost(words);
  asking = false;
  if (sure) {
    page?.handle?.discard?.();
    document.querySelectorAll('dialog[open]').forEach((box) => box.close());
  }
  return sure;
}

/** The address that the page shows; another one is gone to when nothing is lost by it. */
let shown = '';

async function moved() {
  const wanted = location.hash;
  if (asking || unsaved()) {
    history.replaceState(null, '', shown || '#');
    if (asking || !await mayLeave()) return;
    shown = wanted;
    location.hash = wanted;
    return;
  }
  shown = wanted;
  show(true);
}

async function show(moves) {
  if (!shell) return;
  const { id, arg } = route();
  setMenu(false);
  for (const link of document.querySelectorAll('#nav a')) {
    if (link.dataset.page === id) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const [, label, load] = PAGES.find(([name]) => name === id);
  document.title = `${label} · OpenClaw`;
  document.getElementById('top-title').textContent = label;
  if (page?.id === id && page.handle?.arg) return page.handle.arg(arg);
  page?.handle?.leave?.();
  const mine = (page = { id });
  let module;
  try {
    module = await load();
  } catch {
    if (page === mine) missing();
    return;
  }
  if (page !== mine) return;
  const root = h('div.page', { class: `page-${id}` });
  fill(shell.main, root);
  mine.handle = module.mount(root, app, arg) || {};
  if (moves) root.querySelector('h1')?.focus({ preventScroll: true });
}

/** A page's part did not come: the gateway is away, or it has another version now. */
function missing() {
  const isHere = wire.isOpen;
  page = null;
  add(fill(shell.main), h('div.empty', null,
    h('p', null, isHere ? 'The gateway was updated. This page must be loaded again.' : 'This part comes when the gateway is back.'),
    isHere && button('Load again', () => location.reload(), { class: 'primary' })));
  if (isHere) return;
  const off = wire.on('open', () => { off(); if (!page) show(false); });
}

function enter() {
  if (shell) return;
  door?.leave();
  door = null;
  shell = frame();
  fill(document.body, h('a.skip', { href: '#main', onclick: skip }, 'Skip to the page'), shell.root, toasts());
  show(false);
}

function skip(event) {
  event.preventDefault();
  const target = document.querySelector('main h1, main textarea');
  target?.focus();
}

const toasts = () => h('div', { id: 'toasts', role: 'status', 'aria-live': 'polite' });

async function leave() {
  page?.handle?.leave?.();
  page = shell = null;
  let login;
  try {
    ({ login } = await import('./login.js'));
  } catch {
    setTimeout(leave, 2000);
    return;
  }
  // The connection may have come about meanwhile.
  if (shell || door) return;
  door = login();
  fill(document.body, door.root, toasts());
}

/** Says how the connection is, in the side bar, and above the page while it is gone. */
function tell() {
  const { state, why } = wire;
  if (state === 'open') enter();
  if (shell && (state === 'refused' || (state === 'lost' && !opened))) leave();
  const banner = document.getElementById('banner');
  if (!banner) return;
  const isOpen = state === 'open';
  const link = document.getElementById('link');
  fill(link, h('span.dot', { class: isOpen ? 'ok' : opened ? 'bad' : 'warn' }),
    isOpen ? `Connected · ${wire.hello.server?.version || ''}` : opened ? 'Not connected' : 'Connecting…');
  if (!isOpen && !opened) return;
  if (isOpen) {
    if (!banner.hidden) toast('Connected again.', 'ok');
    banner.hidden = true;
    return;
  }
  banner.hidden = false;
  const words = { restarting: 'The gateway restarts.', pairing: 'This browser must be approved again.' };
  fill(banner, icon('restart'), h('span', null, `${words[why?.kind] || 'The connection to the gateway is lost.'} Connecting again by itself…`),
    state === 'lost' && button('Now', () => wire.retry()));
}

/** After an update the parts that this page would load next are gone; better to say so at once. */
async function compare() {
  const own = /\/a\/([^/]+)\//.exec(import.meta.url)?.[1];
  const now = await wire.door();
  if (!own || !now?.version || now.version === own) return;
  const banner = document.getElementById('banner');
  banner.hidden = false;
  fill(banner, icon('restart'), h('span', null, 'The gateway was updated.'), button('Load the new page', () => location.reload()));
}

let recount = 0;

/** Counts what waits for somebody, for the navigation. */
async function counts() {
  if (wire.has('device.pair.list')) {
    const list = await wire.call('device.pair.list').catch(() => null);
    badge('devices', list?.pending?.length || 0);
  }
  if (wire.has('channels.pairing.list')) {
    const list = await wire.call('channels.pairing.list').catch(() => null);
    badge('channels', list?.requests?.length || 0);
  }
  if (wire.has('exec.approval.list')) {
    const list = await wire.call('exec.approval.list').catch(() => null);
    badge('approvals', list?.length || 0, 'bad');
    // One whose time is over is told by nobody.
    clearTimeout(recount);
    if (list?.length) recount = setTimeout(counts, Math.max(0, Math.min(...list.map((one) => one.expiresAtMs)) - Date.now()) + 500);
  }
}

addEventListener('beforeunload', (e) => { if (unsaved() || outbox.holds()) e.preventDefault(); });
theme();
const brought = fromAddress();
shown = location.hash;
wire.on('state', tell);
wire.on('open', () => { counts(); if (opened++) compare(); });
for (const event of ['device.pair.requested', 'device.pair.resolved', 'exec.approval.requested', 'exec.approval.resolved']) wire.on(event, counts);
wire.on('exec.approval.requested', () => route().id === 'approvals' || toast('A command waits for your word: see Approvals.'));
addEventListener('hashchange', () => {
  const more = fromAddress();
  if (more.token || more.code) wire.start(more);
  moved();
});
addEventListener('keydown', (e) => { if (e.key === 'Escape' && document.body.classList.contains('menu')) { setMenu(false); shell.menu.focus(); } });
// Who was here before need not wait for the connection to begin.
if (brought.token || brought.code || deviceToken()) enter();
else leave();
wire.start(brought);
