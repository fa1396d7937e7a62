/**
 * Tools: what a model may call. A tool is a definition and then a handler:
 * `Tool.make(name, definition).handle(run, options)`. The definition's schemas type the handler's input and output, and
 * the handler's requirements become the tool's. `Call` is available to every handler and is not one of these
 * requirements. `Tool.define` makes a tool whose handler is provided elsewhere, by `Toolbox.handlers`.
 *
 * A handler that fails, dies or never returns still ends in one bounded result for the model and affects no other call.
 */
import { Context, Duration, Effect, Either, JSONSchema, ParseResult, Schema } from "effect"
import * as AbsentFields from "../domain/AbsentFields.js"
import * as BoundedJson from "../domain/BoundedJson.js"
import { Kind, Location } from "../domain/CallDisplay.js"
import * as Issues from "../domain/Issues.js"
import type { Inquiry, Reply } from "../domain/Inquiry.js"
import * as InputSchema from "../domain/InputSchema.js"
import { JsonRecord } from "../domain/Json.js"
import * as JsonFlaws from "../domain/JsonFlaws.js"
import type { CallId } from "../domain/Message.js"
import type { Access, Hides } from "../domain/Permission.js"
import type { Commands } from "../domain/PermissionRule.js"
import type { RunId } from "../domain/Run.js"
import type { Owner, SessionId } from "../domain/Session.js"
import type { InvalidInput } from "../domain/SkeinError.js"
import { ofText, Result } from "./ToolResult.js"

export { Result, result } from "./ToolResult.js"
export { Kind, Location }

/** The call that a handler runs for. */
export class Call extends Context.Tag("skein/Tool/Call")<
  Call,
  {
    readonly sessionId: SessionId
    readonly runId: RunId
    readonly callId: CallId
    /**
     * The session's fencing number. A system outside that the call changes can keep it, and refuse a change with a
     * lower number: it comes from an engine that does not know yet that it has lost the session.
     */
    readonly fence: number
    readonly owner: Owner | null
    /** Absolute path of the session's folder; null when the session has none. */
    readonly workdir: string | null
    /** The metadata that was passed to `send`. */
    readonly metadata: JsonRecord
    /** Reports to watchers how far the call is. Not stored; a slow watcher sees only the newest report. */
    readonly progress: (text: string) => Effect.Effect<void>
    /** Asks a person, through whichever client of the session they use. */
    readonly ask: (inquiry: Inquiry) => Effect.Effect<Reply, InvalidInput>
    /** What the policy has the call leave out when it looks through folders. Absent for nothing. */
    readonly hides?: Hides
  }
>() {}

/** Reports to watchers how far this call is. */
export const progress = (text: string): Effect.Effect<void, never, Call> =>
  Effect.flatMap(Call, (call) => call.progress(text))

/**
 * Asks a person to fill in fields, or to do something at a link, and waits for the answer. The session's clients show
 * it as a question with a `display.inquiry`. The values that come back fit the fields. Waiting counts as time of the
 * call. Fails with `InvalidInput` for an inquiry beyond `Inquiry.most`, and for a call's seventeenth inquiry.
 */
export const ask = (inquiry: Inquiry): Effect.Effect<Reply, InvalidInput, Call> =>
  Effect.flatMap(Call, (call) => call.ask(inquiry))

/** Returns the run's metadata, decoded. Fails with `ParseError` when it does not fit the schema. */
export const metadata = <A, I, R>(schema: Schema.Schema<A, I, R>): Effect.Effect<A, ParseResult.ParseError, R | Call> =>
  Effect.flatMap(Call, (call) => Schema.decodeUnknown(schema)(call.metadata))

/** A call's raw input is not JSON, or not what the tool takes. `detail` has one line for each problem. */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", {
  tool: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The input of ${this.tool} is not valid:${this.detail.includes("\n") ? "\n" : " "}${this.detail}`
  }
}

/** A call whose input was understood. */
export interface PreparedCall<out R> {
  /** What the call is about, in a few words; null when its tool does not say. */
  readonly title: string | null
  readonly locations: ReadonlyArray<Location>
  /** The commands that it runs, as permission rules see them; null for a call that runs none. */
  readonly commands: Effect.Effect<Commands> | null
  /** Calls with the same key run one after the other, in call order. */
  readonly key: string | null
  /** Runs the handler and returns its output, as a text unless it is a `Result`. */
  readonly run: Effect.Effect<Result, unknown, R>
}

/** A tool, as the engine needs it. */
export interface Runnable<out R> {
  readonly name: string
  readonly description: string
  readonly access: Access
  readonly kind: Kind
  /** JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  /** How long a call may run; null for the engine's own limit. */
  readonly timeout: Duration.Duration | null
  /** Reads a call's raw input. */
  readonly prepare: (input: string) => Effect.Effect<PreparedCall<R>, InputInvalid, R>
}

/** A tool. `Input` is what a model writes, `Output` what the handler returns. */
export interface Tool<out Name extends string, in Input, out Output, out E, out R> extends Runnable<R | Call> {
  readonly name: Name
  /** Runs the handler on an input as a model would write it. */
  readonly invoke: (input: Input) => Effect.Effect<Output, E | InputInvalid, R | Call>
}

/** A tool, whatever it takes and returns. */
export type Any = Tool<string, never, unknown, unknown, unknown>
/** What the handler of a tool requires, besides the call. */
export type Requirements<T> = T extends Tool<string, never, unknown, unknown, infer R> ? R : never

/** How a tool's calls are run and shown. */
export interface HandlerOptions<Input> {
  /** What the call works on, such as a file. Calls with the same key run one after the other, others in parallel. */
  readonly key?: (input: Input) => string
  /** Defaults to the engine's `toolTimeoutMillis`. */
  readonly timeout?: Duration.DurationInput
  /** What the call is about, in a few words, such as "Read src/app.ts". Defaults to nothing: clients show the name. */
  readonly title?: (input: Input) => string
  /** The places that the call works on, such as the file that it edits. Defaults to none. */
  readonly locations?: (input: Input) => ReadonlyArray<Location>
  /** The commands that the call runs, for permission rules about them. Defaults to none. */
  readonly commands?: (input: Input) => Effect.Effect<Commands>
}

/** A tool without its handler. */
export interface Definition<Name extends string, Decoded, Input, Output, Context> {
  /** Makes the tool. When the handler fails, the model receives the error's message. */
  readonly handle: <A extends Output, E, R>(
    run: (input: Decoded) => Effect.Effect<A, E, R>,
    options?: HandlerOptions<Decoded>
  ) => Tool<Name, Input, A, E, Exclude<R, Call> | Context>
}

interface Shape<Decoded, Output, Context> {
  readonly description: string
  readonly access: Access
  readonly kind: Kind
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly decode: (input: unknown) => Effect.Effect<Decoded, ParseResult.ParseError, Context>
  readonly toText: (output: Output) => Effect.Effect<string, ParseResult.ParseError, Context>
}

const toText = (output: unknown): string => (typeof output === "string" ? output : (JSON.stringify(output) ?? ""))

const parse = (raw: string): Either.Either<unknown, string> => BoundedJson.parse(raw.trim() === "" ? "{}" : raw)

const definition = <Name extends string, Decoded, Input, Output, Context>(
  name: Name,
  shape: Shape<Decoded, Output, Context>
): Definition<Name, Decoded, Input, Output, Context> => ({
  handle: (run, options = {}) => {
    const invalid = (detail: string) => new InputInvalid({ tool: name, detail })
    const decode = (input: unknown, flaws: string | null) =>
      flaws === null
        ? ParseResult.mapError(shape.decode(input), (error) => invalid(Issues.format(error)))
        : Either.left(invalid(flaws))
    const handler = (input: Decoded) => Effect.flatMap(Call, (call) => Effect.provideService(run(input), Call, call))
    const toResult = (output: Output) =>
      output instanceof Result ? Effect.succeed(output) : Effect.map(shape.toText(output), ofText)
    return {
      name,
      description: shape.description,
      access: shape.access,
      kind: shape.kind,
      inputSchema: shape.inputSchema,
      timeout: options.timeout === undefined ? null : Duration.decode(options.timeout),
      invoke: (input) => Effect.flatMap(decode(input, JsonFlaws.find(input)), handler),
      prepare: (raw) =>
        Either.mapLeft(parse(raw), invalid).pipe(
          ParseResult.flatMap((input) => decode(input, JsonFlaws.findRead(raw, input))),
          ParseResult.map((input) => ({
            key: options.key === undefined ? null : options.key(input),
            title: options.title === undefined ? null : options.title(input),
            locations: options.locations === undefined ? [] : options.locations(input),
            commands: options.commands === undefined ? null : options.commands(input),
            run: Effect.flatMap(handler(input), toResult)
          }))
        )
    }
  }
})

/** Returns a JSON Schema that providers take. If there is none, the toolbox says what is wrong with the schema. */
const shown = <A, I, R>(input: Schema.Schema<A, I, R>): InputSchema.InputSchema => {
  const schema = JSONSchema.make(input, { target: "jsonSchema2020-12" })
  return Either.getOrElse(InputSchema.portable(schema), () => ({ ...schema }))
}

/** A struct without fields takes anything that is not null, and its JSON Schema says so, which providers refuse. */
const decodeNothing =
  <A, I, R>(input: Schema.Schema<A, I, R>) =>
  (value: unknown) =>
    ParseResult.flatMap(Schema.decodeUnknown(JsonRecord)(value), () => Schema.decodeUnknown(input)(value))

/** Finds all issues, and treats null as absent in a field that may be left out. */
const decodeFields = <A, I, R>(input: Schema.Schema<A, I, R>) => {
  const leaveOut = AbsentFields.leaveOut(input)
  const decode = Schema.decodeUnknown(input, { errors: "all" })
  return (value: unknown) => decode(leaveOut(value))
}

type Values<Fields extends Schema.Struct.Fields> = Schema.Schema.Type<Schema.Struct<Fields>>
type EncodedValues<Fields extends Schema.Struct.Fields> = Schema.Schema.Encoded<Schema.Struct<Fields>>

interface Described {
  readonly description: string
  /** Whether the tool only reads. Defaults to "write". */
  readonly access?: Access
  /** Defaults to "other". */
  readonly kind?: Kind
}

/**
 * Defines a tool by schemas of its input and, if given, its output. The model is shown the input's JSON Schema, so
 * every field must have one. Without `output` a handler returns a text, a `Result`, or any value that can become JSON.
 */
export function make<const Name extends string, Fields extends Schema.Struct.Fields, A, I, R>(
  name: Name,
  given: Described & { readonly input: Fields; readonly output: Schema.Schema<A, I, R> }
): Definition<Name, Values<Fields>, EncodedValues<Fields>, A, Schema.Struct.Context<Fields> | R>
export function make<const Name extends string, Fields extends Schema.Struct.Fields>(
  name: Name,
  given: Described & { readonly input: Fields }
): Definition<Name, Values<Fields>, EncodedValues<Fields>, unknown, Schema.Struct.Context<Fields>>
export function make<Name extends string, Fields extends Schema.Struct.Fields, A, I, R>(
  name: Name,
  given: Described & { readonly input: Fields; readonly output?: Schema.Schema<A, I, R> }
) {
  const input = Schema.Struct(given.input)
  const isEmpty = Object.keys(given.input).length === 0
  const shape = {
    description: given.description,
    access: given.access ?? "write",
    kind: given.kind ?? "other",
    inputSchema: isEmpty ? { type: "object", properties: {} } : shown(input),
    decode: isEmpty ? decodeNothing(input) : decodeFields(input)
  }
  const { output } = given
  return output === undefined
    ? definition(name, { ...shape, toText: (value: unknown) => Effect.succeed(toText(value)) })
    : definition<Name, Values<Fields>, EncodedValues<Fields>, A, Schema.Struct.Context<Fields> | R>(name, {
        ...shape,
        toText: (value) => Effect.map(Schema.encode(output)(value), toText)
      })
}

/** Stands for the separate handler of a tool, by the tool's name. */
export interface Handler<out Name extends string> {
  readonly handlerOf: Name
}

/** A tool that finds its handler in the context. */
export interface Defined<out Name extends string, in Decoded, in Input, out Output, out Context> extends Tool<
  Name,
  Input,
  Output,
  unknown,
  Handler<Name> | Context
> {
  readonly handler: Effect.Effect<(input: Decoded) => Effect.Effect<Output, unknown, Call>, never, Handler<Name>>
}
/** A tool whose handler comes from a layer, whatever it takes and returns. */
export type AnyDefined = Defined<string, never, never, unknown, unknown>

/** The tag of a handler in the context. */
export const handlerTag = <Name extends string, Decoded, Output>(name: Name) =>
  Context.GenericTag<Handler<Name>, (input: Decoded) => Effect.Effect<Output, unknown, Call>>(
    `skein/Tool/Handler/${name}`
  )

/**
 * Defines a tool that is handled elsewhere, for example when a package defines tools and a host implements them.
 * `Toolbox.handlers` provides the handlers. Takes what `make` and `handle` take.
 */
export function define<const Name extends string, Fields extends Schema.Struct.Fields, A, I, R>(
  name: Name,
  given: Described & { readonly input: Fields; readonly output: Schema.Schema<A, I, R> },
  options?: HandlerOptions<Values<Fields>>
): Defined<Name, Values<Fields>, EncodedValues<Fields>, A, Schema.Struct.Context<Fields> | R>
export function define<const Name extends string, Fields extends Schema.Struct.Fields>(
  name: Name,
  given: Described & { readonly input: Fields },
  options?: HandlerOptions<Values<Fields>>
): Defined<Name, Values<Fields>, EncodedValues<Fields>, unknown, Schema.Struct.Context<Fields>>
export function define<Name extends string, Fields extends Schema.Struct.Fields>(
  name: Name,
  given: Described & { readonly input: Fields },
  options?: HandlerOptions<Values<Fields>>
) {
  const handler = handlerTag<Name, Values<Fields>, unknown>(name)
  const tool = make(name, given).handle((input) => Effect.flatMap(handler, (handle) => handle(input)), options)
  return { ...tool, handler }
}

/** Defines a tool known only at run time: its input is any JSON object, described to the model by a JSON Schema. */
export const dynamic = <const Name extends string>(
  name: Name,
  given: Described & { readonly inputSchema: Readonly<Record<string, unknown>> }
): Definition<Name, JsonRecord, JsonRecord, unknown, never> =>
  definition(name, {
    description: given.description,
    access: given.access ?? "write",
    kind: given.kind ?? "other",
    inputSchema: given.inputSchema,
    decode: Schema.decodeUnknown(JsonRecord),
    toText: (value: unknown) => Effect.succeed(toText(value))
  })
