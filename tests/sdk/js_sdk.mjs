// The official JavaScript SDK against a gateway: every call that its quick starts and helpers make (`make test-sdk`).
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
let passed = 0;

function check(name, right, told) {
  if (!right) {
    console.error(`FAILED  js: ${name}:`, JSON.stringify(told));
    process.exit(1);
  }
  passed += 1;
}

async function fails(name, call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  check(name, false, "it did not fail");
}

async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

const names = (await all(client.models.list())).map((model) => model.id);
check("models.list", names.includes("openclaw/main"), names);
check("models.retrieve", (await client.models.retrieve("openclaw/main")).id === "openclaw/main");
const none = await fails("a model there is not", () => client.models.retrieve("gpt-5"));
check("models.retrieve of none", none.status === 404 && none.code === "model_not_found", none);

const messages = [{ role: "system", content: "Be kind." }, { role: "user", content: "hi" }];
const model = "openclaw";
const done = await client.chat.completions.create({ model, messages, temperature: 0.3 });
check("chat", done.choices[0].message.content === "Hello there." && done.usage.total_tokens === 16, done);
const pieces = await all(await client.chat.completions.create({ model, messages, stream: true }));
check("chat stream", pieces.map((p) => p.choices[0]?.delta?.content ?? "").join("") === "Hello there.", pieces);
const helper = client.chat.completions.stream({ model, messages });
check("chat stream helper", (await helper.finalContent()) === "Hello there.");

const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
const called = await client.chat.completions.create({ model, messages, tools });
check("chat tools", called.choices[0].message.tool_calls[0].function.arguments === '{"city":"Rome"}', called);
const streamed = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
check("chat tools stream helper", streamed.choices[0].message.tool_calls[0].function.name === "get_weather", streamed);
const runs = [{ type: "function", function: { name: "get_weather", parameters, parse: JSON.parse, function: () => "sunny" } }];
const runner = client.chat.completions.runTools({ model, messages, tools: runs, stream: true });
check("chat tool runner", (await runner.finalContent()) === "It is sunny.");

const response = await client.responses.create({ model, input: "hi" });
check("responses", response.output_text === "Hello there." && response.usage.input_tokens === 11, response);
const kinds = (await all(await client.responses.create({ model, input: "hi", stream: true }))).map((e) => e.type);
check("responses stream", kinds.at(-1) === "response.completed", kinds);
const final = await client.responses.stream({ model, input: "hi" }).finalResponse();
check("responses stream helper", final.output_text === "Hello there.", final);
const flat = [{ type: "function", name: "get_weather", parameters, strict: false }];
const call = await client.responses.stream({ model, input: "hi", tools: flat }).finalResponse();
check("responses tools stream helper", call.output.at(-1).arguments === '{"city":"Rome"}', call);
const output = { type: "function_call_output", call_id: call.output.at(-1).call_id, output: "sunny" };
const next = await client.responses.create({ model, input: [output], previous_response_id: call.id, tools: flat });
check("responses tool results", next.output_text === "It is sunny.", next);

const wrong = await fails("a wrong member", () => client.chat.completions.create({ model, messages, temperature: 9 }));
check("a wrong member", wrong.status === 400 && wrong.param === "temperature", wrong);
const key = await fails("a wrong key", () => new OpenAI({ baseURL, apiKey: "no" }).models.list());
check("a wrong key", key.status === 401, key);
const bad = await fails("a failure", () => client.responses.create({ model, input: "fail" }));
check("a failure is told", bad.status === 502 && bad.message.includes("refuses"), bad);
const broken = [{ role: "user", content: "break" }];
await fails("a stream that breaks off", async () => all(await client.chat.completions.create({ model, messages: broken, stream: true })));
await fails("a helper whose stream breaks off", () => client.chat.completions.stream({ model, messages: broken }).finalContent());
await fails("a response that breaks off", () => client.responses.stream({ model, input: "break" }).finalResponse());
console.log(`ok      js: openai ${(await import("openai/version")).VERSION}, ${passed} checks`);
