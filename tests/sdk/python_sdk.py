"""The official Python SDK against a gateway: every call that its quick starts and helpers make (`make test-sdk`)."""
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
passed = 0


def check(name, right, told=None):
    global passed
    if not right:
        sys.exit(f"FAILED  python: {name}: {told!r}")
    passed += 1


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    except Exception as other:  # noqa: BLE001
        sys.exit(f"FAILED  python: {kind.__name__} was expected, not {other!r}")
    sys.exit(f"FAILED  python: {kind.__name__} was expected")


names = [model.id for model in client.models.list()]
check("models.list", "openclaw" in names and "openclaw/main" in names, names)
check("models.retrieve", client.models.retrieve("openclaw/main").id == "openclaw/main")
error = raises(openai.NotFoundError, lambda: client.models.retrieve("gpt-5"))
check("models.retrieve of none", error.code == "model_not_found" and error.param == "model", error.body)

asks = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "hi"}]
done = client.chat.completions.create(model="openclaw", messages=asks, temperature=0.3, max_tokens=50)
check("chat", done.choices[0].message.content == "Hello there." and done.choices[0].finish_reason == "stop", done)
check("chat usage", done.usage.total_tokens == 16 and done.usage.prompt_tokens == 11, done.usage)

pieces = list(client.chat.completions.create(
    model="openclaw", messages=asks, stream=True, stream_options={"include_usage": True}))
said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
check("chat stream", said == "Hello there." and pieces[-1].usage.total_tokens == 16, pieces)
with client.chat.completions.stream(model="openclaw", messages=asks) as stream:
    events = [event.type for event in stream]
    final = stream.get_final_completion()
check("chat stream helper", "content.delta" in events and final.choices[0].message.content == "Hello there.", events)

function = {"name": "get_weather", "description": "The weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}
tools = [{"type": "function", "function": {**function, "strict": True}}]
called = client.chat.completions.create(model="openclaw", messages=asks, tools=tools)
choice = called.choices[0]
check("chat tools", choice.finish_reason == "tool_calls" and choice.message.tool_calls[0].function.name == "get_weather", called)
with client.chat.completions.stream(model="openclaw", messages=asks, tools=tools) as stream:
    kinds = [event.type for event in stream]
    message = stream.get_final_completion().choices[0].message
check("chat tools stream helper", message.tool_calls[0].function.arguments == '{"city":"Rome"}', kinds)
more = asks + [choice.message.model_dump(exclude_none=True),
               {"role": "tool", "tool_call_id": choice.message.tool_calls[0].id, "content": "sunny"}]
done = client.chat.completions.create(model="openclaw", messages=more, tools=tools)
check("chat tool results", done.choices[0].message.content == "It is sunny.", done)

response = client.responses.create(model="openclaw", input="hi", instructions="Be kind.")
check("responses", response.output_text == "Hello there." and response.usage.total_tokens == 16, response)
again = client.responses.create(model="openclaw", input="again", previous_response_id=response.id)
check("responses previous_response_id", again.status == "completed" and again.id != response.id, again)
kinds = [event.type for event in client.responses.create(model="openclaw", input="hi", stream=True)]
check("responses stream", kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds)
with client.responses.stream(model="openclaw", input="hi") as stream:
    said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    final = stream.get_final_response()
check("responses stream helper", said == final.output_text == "Hello there.", final)
flat = [{"type": "function", **function, "strict": True}]
called = client.responses.create(model="openclaw", input="hi", tools=flat)
call = called.output[-1]
check("responses tools", call.type == "function_call" and call.arguments == '{"city":"Rome"}', called)
with client.responses.stream(model="openclaw", input="hi", tools=flat) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_response()
check("responses tools stream helper", final.output[-1].name == "get_weather", kinds)
output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
done = client.responses.create(model="openclaw", input=[output], previous_response_id=called.id, tools=flat)
check("responses tool results", done.output_text == "It is sunny.", done)

error = raises(openai.BadRequestError, lambda: client.chat.completions.create(model="openclaw", messages=asks, temperature=9))
check("a wrong member", error.param == "temperature" and error.type == "invalid_request_error", error.body)
raises(openai.AuthenticationError, lambda: openai.OpenAI(base_url=sys.argv[1], api_key="no").models.list())
raises(openai.NotFoundError, lambda: client.chat.completions.create(model="openclaw/nosuch", messages=asks))
bad = [{"role": "user", "content": "fail"}]
error = raises(openai.InternalServerError, lambda: client.chat.completions.create(model="openclaw", messages=bad))
check("a failure is told and not repeated", error.status_code == 502, error)
raises(openai.InternalServerError, lambda: client.responses.create(model="openclaw", input="fail"))
broken = [{"role": "user", "content": "break"}]
raises(openai.APIError, lambda: list(client.chat.completions.create(model="openclaw", messages=broken, stream=True)))
kinds = [event.type for event in client.responses.create(model="openclaw", input="break", stream=True)]
check("a response that breaks off", "response.failed" in kinds and "response.completed" not in kinds, kinds)
print(f"ok      python: openai {openai.__version__}, {passed} checks")
