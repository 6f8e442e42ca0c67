// Channels: how each account is, logging in and out, and strangers who ask to be let in.
import { h, fill, head, card, button, pill, moment, attempt, confirm, dialog, empty, command, toast, isUsed } from './dom.js';
import { wire } from './wire.js';

export function mount(root) {
  const body = h('div');
  const load = async (probe) => {
    if (!wire.isOpen) return;
    try {
      const [status, asking] = await Promise.all([
        wire.call('channels.status', { probe: Boolean(probe), timeoutMs: 8000 }),
        wire.has('channels.pairing.list') ? wire.call('channels.pairing.list').catch(() => null) : null,
      ]);
      fill(body, asking && strangers(asking, load), draw(status, load));
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  fill(root, head('Channels', 'Messaging platforms that reach your agents.', button('Check now', () => load(true))), body);
  const offs = [wire.on('open', () => load()), wire.on('health', () => isUsed(body) || load())];
  load();
  return { leave: () => offs.forEach((off) => off()) };
}

function draw(status, load) {
  if (!status.channelOrder?.length) {
    return empty('No channel is configured yet.', h('div', null, h('p', null, 'A Telegram bot, for instance:'), command('openclaw channels add')));
  }
  return status.channelOrder.map((id) => {
    const label = status.channelLabels?.[id] || id;
    const accounts = status.channelAccounts?.[id] || [];
    return card(label, h('ul.items', null, accounts.map((account) => line(id, label, account, load))));
  });
}

function state(account) {
  if (!account.enabled) return ['switched off', ''];
  if (!account.configured) return ['not set up', 'warn'];
  if (account.connected || (account.running && account.connected === undefined)) return ['connected', 'ok'];
  if (account.linked === false) return ['not linked', 'warn'];
  return account.running ? ['connecting', 'warn'] : ['stopped', 'bad'];
}

function line(channel, label, account, load) {
  const [word, kind] = state(account);
  const bot = account.bot?.username || account.self?.e164;
  const facts = [
    account.lastInboundAt && ['Last message in', moment(account.lastInboundAt)],
    account.lastOutboundAt && ['Last message out', moment(account.lastOutboundAt)],
    account.mode && ['Receives by', account.mode],
    account.dmPolicy && ['Strangers', account.dmPolicy === 'pairing' ? 'get a code and wait for you' : account.dmPolicy],
    account.deliveriesWaiting > 0 && ['Waiting to be sent', String(account.deliveriesWaiting)],
    account.deliveriesUncertain > 0 && ['Perhaps sent', String(account.deliveriesUncertain)],
    account.probe && ['Check', account.probe.ok ? `answers in ${account.probe.elapsedMs} ms` : account.probe.error],
  ].filter(Boolean);
  return h('li', null,
    h('div.grow', null,
      h('div.name', null, account.accountId === 'default' ? label : account.accountId, bot && h('span.muted', null, bot), pill(word, kind)),
      account.configProblem && h('div.outcome.bad', null, account.configProblem),
      account.lastError && h('div.outcome.bad', null, account.lastError),
      h('dl.facts.small', null, facts.map(([k, v]) => [h('dt', null, k), h('dd', null, v)]))),
    h('div.actions', null,
      wire.has('web.login.start') && (account.linked !== undefined) && button(account.linked ? 'Link again…' : 'Link…', () => link(label, account, load), { class: account.linked ? '' : 'primary' }),
      account.configured && wire.has('channels.logout') && button('Log out…', () => logout(channel, label, account, load))));
}

async function logout(channel, label, account, load) {
  const sure = await confirm(`Log out of ${label}?`, 'The account’s credentials are taken out of the gateway. To use it again it must be set up anew.', 'Log out');
  if (!sure) return;
  await attempt(async () => {
    const done = await wire.call('channels.logout', { channel, accountId: account.accountId });
    toast(done.envToken ? 'Logged out; its token still stands in the environment.' : 'Logged out.', 'ok');
  });
  load();
}

/** The code that the platform's own app scans, until it has. */
async function link(label, account, load) {
  const place = h('div', { role: 'status' }, h('p.muted', null, 'Asking for a code…'));
  let isOpen = true;
  dialog(`Link ${label}`, place, [['Close', null]]).then(() => { isOpen = false; load(); });
  try {
    const start = await wire.call('web.login.start', { accountId: account.accountId, force: Boolean(account.linked), timeoutMs: 30000 });
    const isImage = /^data:image\/(png|svg\+xml|gif|jpeg|webp);base64,/.test(start.qrDataUrl || '');
    fill(place, isImage && h('img.qr', { src: start.qrDataUrl, alt: `Code to scan with ${label}` }), h('p', null, start.message));
    while (isOpen) {
      const now = await wire.call('web.login.wait', { accountId: account.accountId, timeoutMs: 50000 });
      if (now.connected) {
        toast(`${label} is linked.`, 'ok');
        return document.querySelector('dialog[open]')?.close();
      }
      if (isOpen) place.lastChild.textContent = now.message;
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  } catch (e) {
    fill(place, h('div.outcome.bad', { role: 'alert' }, e.message));
  }
}

/** Who wrote to a bot, was told a code, and waits. */
function strangers(asking, load) {
  const { requests } = asking;
  if (!requests.length) return null;
  const approve = async (r) => {
    const { channel, accountId } = r;
    if (!await attempt(() => wire.call('channels.pairing.approve', { channel, accountId, code: r.code }), 'Let in.')) return;
    load();
    const words = { channel, accountId, to: `${channel}:${r.id}`, message: '✅ OpenClaw access approved. Send a message to start chatting.', idempotencyKey: crypto.randomUUID() };
    wire.call('send', words).catch((e) => toast(`Let in, but not told so: ${e.message}`, 'bad'));
  };
  return h('section.card.attention', { 'aria-label': 'Ask to be let in' }, h('h2', null, 'Ask to be let in'),
    h('ul.items', null, requests.map((r) => h('li', null,
      h('div.grow', null, h('div.name', null, r.meta?.name || r.meta?.username || r.id, pill(r.channel)),
        h('p.small', null, `${r.id} · code ${r.code} · `, moment(Date.parse(r.createdAt) || r.createdAtMs))),
      button('Let in', () => approve(r), { class: 'primary' })))));
}
