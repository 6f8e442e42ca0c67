// A client of the gateway in TypeScript: connects, asks, has a conversation, hears events. The types are written by
// `make protocol-gen` from schemas/. It needs nothing but a WebSocket: browsers, Deno, Bun, Node 22 have one.
//
//   node client.js ws://127.0.0.1:18789 TOKEN "What is the time?"
import type {
  AgentEventAssistantData, ErrorShape, Events, Method, Params, RequestOf, Result, ServerFrame,
} from "../generated/openclaw.js";

type Waiting = { settle: (payload: unknown) => void; fail: (error: Refused) => void; until: (payload: unknown) => boolean };
type Listener<E extends keyof Events> = (payload: Events[E]) => void;

/** What the gateway said no to; `error.retryable` and `retryAfterMs` tell whether to ask again. */
export class Refused extends Error {
  constructor(readonly error: ErrorShape) {
    super(`${error.code}: ${error.message}`);
  }
}

export class Gateway {
  private readonly waiting = new Map<string, Waiting>();
  private readonly listeners = new Map<string, Set<(payload: unknown) => void>>();
  private ids = 0;
  private seq = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.onmessage = (message) => this.take(JSON.parse(String(message.data)) as ServerFrame);
    socket.onclose = (close) => {
      const error: ErrorShape = { code: "UNAVAILABLE", message: `closed: ${close.code} ${close.reason}` };
      this.waiting.forEach((one) => one.fail(new Refused(error)));
      this.waiting.clear();
    };
  }

  /** Connects as an operator by the shared token; the second value is the gateway's `hello-ok`. */
  static async connect(url: string, token: string): Promise<[Gateway, Result<"connect">]> {
    const gateway = new Gateway(new WebSocket(url));
    await new Promise<void>((ready, failed) => {
      gateway.socket.onerror = () => failed(new Error(`no gateway at ${url}`));
      gateway.on("connect.challenge", () => ready());
    });
    const hello = await gateway.call("connect", {
      minProtocol: 3,
      maxProtocol: 4,
      client: { id: "gateway-client", version: "1.0", platform: "typescript", mode: "backend" },
      role: "operator",
      scopes: ["operator.read", "operator.write"],
      auth: { token },
    });
    return [gateway, hello];
  }

  /** Asks and waits for the answer; `agent` answers twice: `until` tells which answer is the one. */
  call<M extends Method>(method: M, params?: Params<M>, until: (payload: Result<M>) => boolean = () => true): Promise<Result<M>> {
    const request: RequestOf<M> = { type: "req", id: String(++this.ids), method, params };
    return new Promise<Result<M>>((settle, fail) => {
      const of = (payload: unknown) => payload as Result<M>;
      this.waiting.set(request.id, { settle: (p) => settle(of(p)), fail, until: (p) => until(of(p)) });
      this.socket.send(JSON.stringify(request));
    });
  }

  /** Hears an event until the function that it gives is called. */
  on<E extends keyof Events>(event: E, listener: Listener<E>): () => void {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all);
    const added = (payload: unknown) => listener(payload as Events[E]);
    all.add(added);
    return () => void all.delete(added);
  }

  close(): void {
    this.socket.close(1000);
  }

  private take(frame: ServerFrame): void {
    if (frame.type === "event") {
      // A gap means that events were lost, because this client was too slow: read again what must be right.
      if (frame.seq !== undefined && frame.seq !== ++this.seq) throw new Error(`events before ${frame.seq} were lost`);
      this.listeners.get(frame.event)?.forEach((listener) => listener(frame.payload));
      return;
    }
    const one = this.waiting.get(frame.id);
    if (!one || (frame.ok && !one.until(frame.payload))) return;
    this.waiting.delete(frame.id);
    if (frame.ok) one.settle(frame.payload);
    else one.fail(new Refused(frame.error ?? { code: "UNAVAILABLE", message: "no reason was given" }));
  }
}

declare const process: { argv: string[]; exitCode?: number };

async function main([url = "ws://127.0.0.1:18789", token = "", message = "Hello"]: string[]): Promise<void> {
  const [gateway, hello] = await Gateway.connect(url, token);
  console.log(`protocol ${hello.protocol}, gateway ${hello.server.version}, ${hello.features.methods.length} methods`);
  const { ok, agents } = await gateway.call("health");
  console.log(`health: ${ok}, agents: ${agents.map((agent) => agent.agentId).join(", ")}`);
  gateway.on("agent", ({ stream, data }) => {
    if (stream === "assistant") console.log(`  ${(data as unknown as AgentEventAssistantData).delta}`);
  });
  const asked = { message, sessionKey: "agent:main:main", idempotencyKey: crypto.randomUUID() };
  const turn = await gateway.call("agent", asked, (answer) => answer.status !== "accepted");
  console.log(`${turn.status}: ${"result" in turn ? turn.result?.payloads[0]?.text : ""}`);
  gateway.close();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
