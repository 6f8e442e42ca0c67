// Devices and nodes: who may connect, who asks to, and what a node does when told.
import { h, fill, head, card, button, pill, moment, attempt, confirm, ask, dialog, empty, field, isUsed } from './dom.js';
import { wire } from './wire.js';
import { identity } from './identity.js';
import { code } from './markdown.js';

export function mount(root) {
  const body = h('div');
  let own = '';
  const load = async () => {
    if (!wire.isOpen) return;
    own ||= await identity().then((self) => self.id).catch(() => '');
    try {
      const [list, nodes, here] = await Promise.all([
        wire.call('device.pair.list'),
        wire.has('node.list') ? wire.call('node.list').catch(() => null) : null,
        wire.call('system-presence').catch(() => []),
      ]);
      fill(body, waiting(list.pending, load), paired(list.paired, here, own, load), nodeList(nodes, load));
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  fill(root, head('Devices', 'Browsers, command lines, apps and nodes with a key of their own.', button('Read again', load)), body);
  const offs = ['open', 'device.pair.requested', 'device.pair.resolved'].map((name) => wire.on(name, load));
  offs.push(wire.on('presence', () => isUsed(body) || load()));
  load();
  return { leave: () => offs.forEach((off) => off()) };
}

const nameOf = (d) => d.displayName || `${d.clientId || 'device'} on ${d.platform || 'an unknown system'}`;
const short = (id) => h('code', { title: id }, `${id.slice(0, 12)}…`);

function waiting(pending, load) {
  if (!pending.length) return null;
  const decide = (method, p, words) => attempt(() => wire.call(method, { requestId: p.requestId }), words).then(load);
  return h('section.card.attention', { 'aria-label': 'Ask to be let in' }, h('h2', null, 'Ask to be let in'),
    h('ul.items', null, pending.map((p) => h('li', null,
      h('div.grow', null,
        h('div.name', null, nameOf(p), (p.roles || [p.role]).filter(Boolean).map((r) => pill(r)), p.isRepair && pill('known device', 'warn')),
        h('p.small', null, short(p.deviceId), p.remoteIp && ` from ${p.remoteIp}`, ' · asked ', moment(p.ts)),
        h('p.small', null, p.scopes?.length ? `Wants: ${p.scopes.map((s) => s.replace('operator.', '')).join(', ')}` : 'Wants no scopes')),
      h('div.actions', null,
        button('Reject', () => decide('device.pair.reject', p, 'Rejected.')),
        button('Approve', () => decide('device.pair.approve', p, 'Approved.'), { class: 'primary' }))))));
}

function paired(devices, presence, own, load) {
  if (!devices.length) return card('Paired', empty('No device is paired.'));
  return card(`Paired (${devices.length})`, h('ul.items', null, devices.map((d) => {
    const isOwn = d.deviceId === own;
    const isHere = presence.some((p) => p.deviceId === d.deviceId && p.reason !== 'disconnect');
    return h('li', null,
      h('div.grow', null,
        h('div.name', null, nameOf(d), isOwn && pill('this browser', 'ok'), isHere && !isOwn && pill('connected', 'ok'), (d.roles || []).map((r) => pill(r))),
        h('p.small', null, short(d.deviceId), d.remoteIp && ` · ${d.remoteIp}`, ' · paired ', moment(d.approvedAtMs)),
        (d.tokens || []).map((t) => h('p.small', null, `${t.role}: ${t.scopes.map((s) => s.replace('operator.', '')).join(', ') || 'no scopes'}`,
          t.revokedAtMs ? ' · revoked' : t.lastUsedAtMs ? [' · used ', moment(t.lastUsedAtMs)] : ''))),
      h('div.actions', null,
        wire.has('device.pair.rename') && button('Rename…', () => rename(d, load)),
        (d.tokens || []).some((t) => !t.revokedAtMs) && button('Revoke…', () => revoke(d, isOwn, load)),
        button('Remove…', () => remove(d, isOwn, load), { class: 'danger' })));
  })));
}

async function rename(d, load) {
  const name = await ask('Rename the device', 'Name', d.displayName || '', 'Rename');
  if (name) await attempt(() => wire.call('device.pair.rename', { deviceId: d.deviceId, displayName: name })).then(load);
}

const itself = ' It is this browser: the connection ends at once.';

async function revoke(d, isOwn, load) {
  const sure = await confirm('Revoke its key?', `${nameOf(d)} cannot connect any more until it shows the gateway’s token again.${isOwn ? itself : ''}`, 'Revoke');
  if (!sure) return;
  for (const t of d.tokens.filter((one) => !one.revokedAtMs)) await attempt(() => wire.call('device.token.revoke', { deviceId: d.deviceId, role: t.role }), 'Revoked.');
  load();
}

async function remove(d, isOwn, load) {
  const sure = await confirm('Remove the device?', `The gateway forgets ${nameOf(d)}; it must be paired anew.${isOwn ? itself : ''}`, 'Remove');
  if (sure) await attempt(() => wire.call('device.pair.remove', { deviceId: d.deviceId }), 'Removed.').then(load);
}

function nodeList(nodes, load) {
  if (!nodes) return card('Nodes', h('p.muted', null, 'This gateway serves no nodes yet.'));
  if (!nodes.nodes.length) return card('Nodes', h('p.muted', null, 'No node is paired. A node lends the gateway a machine’s screen, camera or commands.'));
  return card(`Nodes (${nodes.nodes.length})`, h('ul.items', null, nodes.nodes.map((n) => h('li', null,
    h('div.grow', null,
      h('div.name', null, n.displayName || n.nodeId.slice(0, 12), pill(n.connected ? 'connected' : 'away', n.connected ? 'ok' : '')),
      h('p.small', null, [n.platform, n.version, n.remoteIp].filter(Boolean).join(' · ')),
      n.commands?.length > 0 && h('p.small', null, n.commands.join(', '))),
    h('div.actions', null,
      wire.has('node.rename') && button('Rename…', async () => {
        const name = await ask('Rename the node', 'Name', n.displayName || '', 'Rename');
        if (name) await attempt(() => wire.call('node.rename', { nodeId: n.nodeId, displayName: name })).then(load);
      }),
      n.connected && wire.has('node.invoke') && button('Invoke…', () => invoke(n)))))));
}

async function invoke(node) {
  const list = h('datalist', { id: 'node-commands' }, (node.commands || []).map((c) => h('option', { value: c })));
  const name = h('input', { list: 'node-commands', required: true, value: node.commands?.[0] || '' });
  const params = h('textarea.code', { rows: 4, spellcheck: 'false' });
  params.value = '{}';
  const form = h('div.stack', null, list, field('Command', name), field('Parameters, as JSON', params));
  if (!await dialog(`Invoke on ${node.displayName || node.nodeId.slice(0, 12)}`, form, [['Cancel', null], ['Invoke', true, 'primary']])) return;
  await attempt(async () => {
    const said = await wire.call('node.invoke', {
      nodeId: node.nodeId, command: name.value.trim(), params: JSON.parse(params.value || '{}'), idempotencyKey: crypto.randomUUID(),
    });
    dialog('It answered', code(JSON.stringify(said.payload ?? null, null, 2), 'json'), [['Close', null, 'primary']]);
  });
}
