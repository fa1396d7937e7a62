/**
 * Calls of messages from elsewhere. A call whose id is not one of ours gets a new id, and so does its result: the next
 * result with the same foreign id that does not belong to an earlier call. The foreign id is kept next to ours. Whether
 * a result may follow at all is not decided here.
 */
import { Effect, Schema } from "effect"
import { type ForeignMessage, isForeignCall } from "../../domain/ForeignMessage.js"
import { CallId, type Message } from "../../domain/Message.js"
import type * as Ids from "../Ids.js"

const isOurs = Schema.is(CallId)

type Plain = Extract<ForeignMessage, { readonly role: "user" | "other" }>

const isPlain = (message: ForeignMessage): message is Plain => message.role === "user" || message.role === "other"

/**
 * Returns the messages with our ids for all calls. `between` runs between two messages, and between two calls of one.
 */
export const adopt = (
  messages: ReadonlyArray<ForeignMessage>,
  ids: Ids.Service,
  between: Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Message>> =>
  messages.every(isPlain) ? Effect.succeed(messages) : adoptCalls(messages, ids, between)

const adoptCalls = Effect.fnUntraced(function* (
  messages: ReadonlyArray<ForeignMessage>,
  ids: Ids.Service,
  between: Effect.Effect<void>
) {
  const next = Effect.map(ids.next("call"), CallId.make)
  /** Calls without a result so far, by their foreign ids. */
  const open = new Map<string, Array<CallId>>()

  const call = Effect.fnUntraced(function* (foreign: string) {
    if (isOurs(foreign)) return { callId: foreign }
    const callId = yield* next
    const others = open.get(foreign)
    if (others === undefined) open.set(foreign, [callId])
    else others.push(callId)
    return { callId, foreignCallId: foreign }
  })

  const result = Effect.fnUntraced(function* (foreign: string) {
    if (isOurs(foreign)) return { callId: foreign }
    return { callId: open.get(foreign)?.shift() ?? (yield* next), foreignCallId: foreign }
  })

  const adopted = (message: ForeignMessage): Effect.Effect<Message> => {
    if (isPlain(message)) return Effect.succeed(message)
    if (message.role === "tool") return Effect.map(result(message.callId), (ids) => ({ ...message, ...ids }))
    const parts = Effect.forEach(message.parts, (part) =>
      isForeignCall(part)
        ? Effect.zipRight(
            between,
            Effect.map(call(part.callId), (ids) => ({ ...part, ...ids }))
          )
        : Effect.succeed(part)
    )
    return Effect.map(parts, (parts) => ({ ...message, parts }))
  }
  return yield* Effect.forEach(messages, (message) => Effect.zipLeft(adopted(message), between))
})
