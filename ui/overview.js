// Overview: whether all is well, what needs somebody and how it is mended, and what today took.
import { h, fill, head, card, button, command, icon, pill, duration, bytes, count, money, attempt, confirm, moment, isUsed } from './dom.js';
import { wire } from './wire.js';
import { bars, tile } from './charts.js';

const EVERY = 20000;

export function mount(root, app) {
  const body = h('div', { 'aria-busy': 'true' }, h('p.muted', null, 'Loading…'));
  fill(root, head('Overview', 'How the gateway is, and what it did today.', button('Restart…', restart), wire.has('plugin.surface.refresh') && button('Canvas', canvas)), body);
  const load = async () => {
    if (!wire.isOpen) return;
    const ask = (method, params) => (wire.has(method) ? wire.call(method, params).catch((e) => ({ error: e })) : Promise.resolve({}));
    const [health, status, info, cost, channels, devices, config, strangers, commands] = await Promise.all([
      ask('health'), ask('status'), ask('system.info'), ask('usage.cost', { days: 14 }), ask('channels.status'),
      ask('device.pair.list'), ask('config.get'), ask('channels.pairing.list'), ask('exec.approval.list'),
    ]);
    draw(body, app, { health, status, info, cost, channels, devices, config, strangers, commands });
    body.removeAttribute('aria-busy');
  };
  const timer = setInterval(() => document.hidden || isUsed(body) || load(), EVERY);
  const off = wire.on('open', load);
  load();
  return { leave: () => { clearInterval(timer); off(); } };
}

async function restart() {
  const sure = await confirm('Restart the gateway?', 'It waits for the turns that go on, then starts again in place; clients connect again by themselves.', 'Restart', 'primary');
  if (sure) attempt(() => wire.call('gateway.restart.request', { reason: 'asked for in the browser' }), 'The restart is on its way.');
}

/** The pages of agents, by an address that ends with this page's connection. A tab that is opened later is taken for an advertisement. */
async function canvas() {
  const tab = window.open('', '_blank');
  let url = null;
  await attempt(async () => { url = (await wire.call('plugin.surface.refresh', { surface: 'canvas' })).pluginSurfaceUrls?.canvas; });
  if (!tab) return;
  if (!url) return tab.close();
  tab.opener = null;
  tab.location = `${url}/__openclaw__/canvas/`;
}

/** What is wrong or waits, each with what to do about it. */
function attention(all, app) {
  const { health, status, channels, devices, config } = all;
  const found = [];
  const bad = (text, ...fix) => found.push({ kind: 'bad', text, fix });
  const warn = (text, ...fix) => found.push({ kind: 'warn', text, fix });
  if (health.error) bad(`Health cannot be told: ${health.error.message}`);
  const wrong = status.configInvalid;
  if (wrong) {
    bad(`The configuration file cannot be used; what was in force goes on. ${wrong.message || ''}`,
      wrong.line && h('p.muted', null, `${wrong.file}, line ${wrong.line}`), button('Open it', () => app.go('config', 'text')));
  }
  const pending = devices.pending || [];
  if (pending.length) {
    warn(`${pending.length === 1 ? 'A device asks' : `${pending.length} devices ask`} to be let in.`, button('Look', () => app.go('devices'), { class: 'primary' }));
  }
  const strangers = all.strangers?.requests || [];
  if (strangers.length) {
    warn(`${strangers.length === 1 ? 'Somebody wrote' : `${strangers.length} people wrote`} to a bot and wait to be let in.`, button('Look', () => app.go('channels'), { class: 'primary' }));
  }
  const commands = Array.isArray(all.commands) ? all.commands.length : 0;
  if (commands) {
    warn(`${commands === 1 ? 'A command waits' : `${commands} commands wait`} for your word.`, button('Look', () => app.go('approvals'), { class: 'primary' }));
  }
  for (const id of channels.channelOrder || []) {
    const label = channels.channelLabels?.[id] || id;
    for (const account of channels.channelAccounts?.[id] || []) {
      if (!account.enabled || account.connected || !account.lastError) continue;
      const name = account.accountId === 'default' ? label : `${label} (${account.accountId})`;
      bad(`${name}: ${account.lastError}`, button('Channels', () => app.go('channels')));
    }
  }
  const uncertain = Object.values(channels.channels || {}).reduce((n, c) => n + (c.deliveriesUncertain || 0), 0);
  if (uncertain) warn(`${uncertain} messages may or may not have arrived.`, button('Channels', () => app.go('channels')));
  if (status.restart?.pending) warn(`A restart waits: ${(status.restart.causes || []).join(', ')}`, button('Restart now', restart));
  if (status.restart?.refused) bad(`The last restart was refused: ${status.restart.refused}`, command('openclaw doctor'));
  for (const issue of config.warnings || []) warn(`${issue.path}: ${issue.message}`, button('Config', () => app.go('config')));
  const started = status.metrics?.runsStarted || 0;
  const failed = status.metrics?.runsFailed || 0;
  if (failed && failed * 4 >= started) warn(`${failed} of ${started} runs failed since the start.`, command('openclaw models test'));
  return found;
}

function draw(body, app, all) {
  const { health, status, info, cost, channels } = all;
  const found = attention(all, app);
  const metrics = status.metrics || health.metrics || {};
  const daily = cost.daily || [];
  const day = new Date().toISOString().slice(0, 10);
  const today = daily.find((d) => d.date === day) || {};
  const days = lastDays(14).map((date) => [date.slice(5), daily.find((d) => d.date === date) || {}]);
  const gateway = info.gateway || {};
  fill(body,
    found.length
      ? h('section.card.attention', { class: found.some((f) => f.kind === 'bad') ? 'bad' : '', 'aria-label': 'Needs attention' },
        h('h2', null, `Needs attention`),
        h('ul.items', null, found.map(({ kind, text, fix }) => h('li', null, h('div.grow', null, pill(kind === 'bad' ? 'problem' : 'waits', kind), ' ', text), fix.filter(Boolean)))))
      : h('section.card.attention.fine', { 'aria-label': 'Health' }, h('div.row', null, icon('check'), h('b', null, 'All is well.'), h('span.muted', null, 'Nothing waits for you.'))),
    h('div.tiles', null,
      tile('Running for', duration(gateway.uptimeMs ?? status.uptimeMs ?? 0), `version ${gateway.version || status.version || '?'}`),
      tile('Tokens today', count(today.totalTokens || 0), `${count(today.input || 0)} in · ${count(today.output || 0)} out`),
      tile('Cost today', money(today.totalCost || 0), today.missingCostEntries ? `${today.missingCostEntries} without a price` : `${money(cost.totals?.totalCost || 0)} in 14 days`),
      tile('Runs', count(metrics.runsStarted || 0), `${health.runs?.active || 0} now · ${metrics.runsFailed || 0} failed since the start`)),
    h('div.grid', null,
      card('Tokens a day', bars('Tokens a day', days.map(([d, row]) => [d, row.totalTokens || 0]), count)),
      card('Cost a day', bars('Cost a day', days.map(([d, row]) => [d, row.totalCost || 0]), money))),
    h('div.grid', null, card('This machine', machine(info)), card('Channels', channelLines(channels)), card('Lately', recent(status))));
}

function lastDays(n) {
  return Array.from({ length: n }, (_, i) => new Date(Date.now() - (n - 1 - i) * 86400000).toISOString().slice(0, 10));
}

function machine(info) {
  const facts = [
    ['Host', info.host], ['System', info.os && `${info.os}, ${info.arch}`],
    ['Load', info.loadAverage && `${info.loadAverage.map((l) => l.toFixed(2)).join('  ')} on ${info.cpus} cores`],
    ['Memory', info.memory?.totalBytes && `${bytes(info.memory.freeBytes)} free of ${bytes(info.memory.totalBytes)}`],
    ['Disk', info.disk?.totalBytes && `${bytes(info.disk.freeBytes)} free of ${bytes(info.disk.totalBytes)}`],
    ['Gateway', info.gateway?.rssBytes && `${bytes(info.gateway.rssBytes)} of memory, PID ${info.gateway.pid}`],
  ];
  return h('dl.facts', null, facts.filter(([, v]) => v).map(([k, v]) => [h('dt', null, k), h('dd', null, v)]));
}

function channelLines(channels) {
  const ids = channels.channelOrder || [];
  if (!ids.length) return h('p.muted', null, 'None is configured: the gateway is reached by this page, the command line and apps.');
  return h('dl.facts', null, ids.map((id) => {
    const c = channels.channels?.[id] || {};
    const [word, kind] = c.connected ? ['connected', 'ok'] : c.running ? ['running', 'warn'] : c.configured ? ['stopped', 'bad'] : ['not set up', ''];
    return [h('dt', null, channels.channelLabels?.[id] || id), h('dd', null, pill(word, kind))];
  }));
}

function recent(status) {
  const rows = (status.sessions?.recent || []).slice(0, 5);
  if (!rows.length) return h('p.muted', null, 'No conversations yet.');
  return h('ul.items', null, rows.map((row) => h('li', null,
    h('a.grow', { href: `#/chat/${encodeURI(row.key)}` }, row.key.replace(/^agent:/, '')), h('span.small', null, moment(row.updatedAt)))));
}
