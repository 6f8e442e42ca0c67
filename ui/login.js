// What is shown while there is no connection: why, and the one command that helps.
import { h, fill, field, command, button, icon, mark } from './dom.js';
import { wire } from './wire.js';

const DASHBOARD = 'openclaw dashboard';

/** Title, sentences, commands, and whether a token helps. */
function explained(kind, error) {
  const said = error?.message || '';
  switch (kind) {
    case 'missing':
      return { title: 'Connect to your gateway', asks: true,
        text: ['This page needs the gateway’s token once; after that this browser has a key of its own.'],
        fix: [['On the gateway’s machine, this opens the page already connected:', DASHBOARD]] };
    case 'signed-out':
      return { title: 'Signed out', asks: true,
        text: ['This browser has forgotten its key to the gateway.'],
        fix: [['To connect again, run on the gateway’s machine:', DASHBOARD]] };
    case 'wrong':
      return { title: 'That is not the gateway’s token', asks: true, bad: true,
        text: ['The gateway refused it. It may have been changed, or belong to another gateway.'],
        fix: [['This opens the page with the right one:', DASHBOARD]] };
    case 'code':
      return { title: 'This link was used already, or is too old', asks: true, bad: true,
        text: ['A link from the dashboard command works once, and not for long.'],
        fix: [['Get a new one:', DASHBOARD]] };
    case 'revoked':
      return { title: 'This browser’s key is no longer valid', asks: true, bad: true,
        text: ['It was revoked or replaced on the gateway.', said],
        fix: [['Connect again:', DASHBOARD]] };
    case 'pairing': {
      const id = error?.details?.requestId || '';
      const hint = /: (openclaw .*)$/.exec(error?.details?.remediationHint || '')?.[1] || `openclaw devices approve ${id}`;
      return { title: 'Approve this browser', waits: true,
        text: ['The token is right. The gateway does not know this browser yet, so somebody must let it in; '
          + 'this page then goes on by itself.'],
        fix: [['On the gateway’s machine:', hint]],
        more: 'Or approve it under Devices in a browser that is connected already.' };
    }
    case 'origin':
      return { title: 'This address is not allowed', bad: true, waits: true,
        text: [`The gateway does not take connections from pages at ${location.origin}, because it does not know that name as its own.`],
        fix: [['If the address is right, allow it on the gateway’s machine:',
          `openclaw config set gateway.controlUi.allowedOrigins '["${location.origin}"]'`]],
        more: 'That replaces the list; add the others you use.' };
    case 'insecure':
      return { title: 'This needs a safe connection', bad: true, retries: true,
        text: [`Browsers keep keys only on pages that came by https:// or from this computer, and this one came from ${location.origin}.`],
        fix: [['Reach the gateway through SSH and open http://127.0.0.1:' + port() + '/',
          `ssh -N -L ${port()}:127.0.0.1:${port()} ${location.hostname}`],
        ['Or let the gateway speak TLS, and open https:// instead:', 'openclaw config set gateway.tls.enabled true']] };
    case 'unable':
      return { title: 'This browser is too old', bad: true,
        text: ['It cannot make Ed25519 keys, which devices prove themselves with. Chrome and Edge can since 137, Firefox since 129, Safari since 17.'],
        fix: [['Meanwhile the command line does the same things:', 'openclaw status']] };
    case 'clock':
      return { title: 'The clocks differ', bad: true, retries: true,
        text: [said, 'Set this computer’s clock, or the gateway’s, and try again.'], fix: [] };
    case 'limited':
      return { title: 'Too many wrong tokens', bad: true, waits: true,
        text: ['The gateway makes everybody wait after wrong guesses from this address.', said], fix: [] };
    case 'blocked':
      return { title: 'The connection does not come about', bad: true, waits: true,
        text: ['The gateway answers, but not by WebSocket. A proxy in between may not pass those on.'],
        fix: [['For nginx, the location of this page needs:',
          'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $http_host;']] };
    case 'restarting':
      return { title: 'The gateway restarts', waits: true, text: ['This page goes on when it is back.'], fix: [] };
    case 'busy':
      return { title: 'The gateway is busy', waits: true, text: [said], fix: [] };
    default:
      return { title: 'The gateway does not answer', waits: true, bad: true,
        text: [`Nothing answers at ${location.host}.`, said],
        fix: [['See what is wrong on its machine:', 'openclaw gateway status']] };
  }
}

const port = () => location.port || (location.protocol === 'https:' ? '443' : '80');

/** The login page; shows what `wire` says until it is taken away. */
export function login() {
  const root = h('main.login', { id: 'main' });
  let shown = '';
  let countdown = null;
  const show = () => {
    const { state, why } = wire;
    const kind = why?.kind || (state === 'connecting' ? 'connecting' : 'missing');
    if (state === 'connecting' && shown) return note('Connecting…');
    if (kind === 'connecting') return fill(root, h('p.muted.waiting', { role: 'status' }, 'Connecting…'));
    const key = `${kind}:${why?.error?.details?.requestId || why?.error?.message || ''}`;
    if (key !== shown) {
      shown = key;
      draw(explained(kind, why?.error));
    }
    note(state === 'lost' ? '' : null);
  };
  const note = (text) => {
    const line = root.querySelector('.waiting');
    if (!line) return;
    const left = () => Math.max(0, Math.round(((wire.why?.at || 0) - Date.now()) / 1000));
    line.textContent = text ?? '';
    if (text === '') line.textContent = left() > 1 ? `Trying again in ${left()} s` : 'Trying again…';
  };
  const draw = (what) => {
    const input = h('input', { type: 'password', autocomplete: 'current-password', spellcheck: 'false', required: true });
    const form = what.asks && h('form', {
      onsubmit: (e) => { e.preventDefault(); if (input.value.trim()) wire.start({ token: input.value.trim() }); },
    }, field('Gateway token or password', input), h('button.primary', { type: 'submit' }, 'Connect'));
    fill(root, h('div.login-box', null,
      h('div.brand', null, mark(), h('span', null, 'OpenClaw')),
      h('div', { role: what.bad ? 'alert' : 'status' },
        h('h1', { class: what.bad ? 'bad' : '' }, what.bad && icon('warn'), what.title),
        what.text.filter(Boolean).map((line, n) => h('p', { class: n ? 'muted' : null }, line))),
      what.fix.map(([words, line]) => h('div.fix', null, h('p', null, words), command(line))),
      what.more && h('p.muted', null, what.more),
      form,
      (what.waits || what.retries) && h('div.row', null,
        h('p.muted.waiting', { role: 'status' }), button('Try now', () => wire.retry()))));
    if (form && matchMedia('(hover: hover)').matches) input.focus();
  };
  const off = wire.on('state', show);
  countdown = setInterval(() => wire.state === 'lost' && note(''), 1000);
  show();
  return { root, leave: () => { off(); clearInterval(countdown); } };
}
