/**
 * The state of a sequence of commands, and the operations that a command means in that state. Everything is looked up
 * in the model, so that both storages get the same operations.
 */
import { Chunk, Effect, Either, Option, Stream } from "effect"
import { AssetId } from "../../../../domain/Asset.js"
import * as CallDisplay from "../../../../domain/CallDisplay.js"
import type { Lease, Presence } from "../../../../domain/Lease.js"
import { type AssistantMessage, CallId, type Message, type UserMessage, userText } from "../../../../domain/Message.js"
import { QuestionId } from "../../../../domain/Permission.js"
import { RunId } from "../../../../domain/Run.js"
import { Seq, type Session, SessionId } from "../../../../domain/Session.js"
import * as Usage from "../../../../domain/Usage.js"
import * as Actor from "../../../../services/Actor.js"
import type { Activity, ReaderService, Service } from "../../../../services/storage/Storage.js"
import type { Command, LeasePick, PlacePick } from "./Command.js"
import { admission, checked, newSession } from "../fixture.js"

export interface World {
  readonly leases: Array<Lease>
  readonly runs: Array<RunId>
  readonly questions: Array<QuestionId>
  /** Earlier cursors of sessions. */
  readonly cursors: Set<number>
  /** Incremented for each new id. */
  ids: number
  /** The number of operations so far. */
  asked: number
  /** The storages' time. */
  now: number
}

export const make = (): World => ({
  leases: [],
  runs: [],
  questions: [],
  cursors: new Set(),
  ids: 0,
  asked: 0,
  now: 1_000
})

/** Records a session's cursor and its holder's lease. */
export const remember = (world: World, { cursor }: Session, { holder }: Activity): void => {
  world.cursors.add(cursor)
  if (Option.isNone(holder)) return
  const { lease } = holder.value
  if (!world.leases.some(({ fence, runId }) => fence === lease.fence && runId === lease.runId)) world.leases.push(lease)
}

const actors = [null, Actor.Actor.make("ann"), Actor.Actor.make("bob")]

/** Who asks for the next operation. */
export const nextActor = (world: World): Actor.Actor | null => actors[world.asked++ % actors.length] ?? null

/** One operation, for any storage. */
export type Operation = (storage: Service) => Effect.Effect<unknown, { readonly _tag: string }>

/**
 * The operation that a command means. If something is missing, the operation that creates it: a session, a run, a
 * batch.
 */
export const operation = (
  world: World,
  model: ReaderService,
  asked: Command
): Effect.Effect<Operation, { readonly _tag: string }> =>
  Effect.gen(function* () {
    const command = (yield* lacking(model, asked)) ?? asked
    switch (command._tag) {
      case "create": {
        const { metadata, session, title } = command
        const id = SessionId.make(session)
        const created = newSession({ id, title, workdir: "/", metadata, placement: session === "s2" ? placed : null })
        return (storage: Service) => storage.createSession(created)
      }
      case "patch":
        return (storage) => storage.patch(SessionId.make(command.session), command.patch)
      case "append": {
        const { hash, key, session } = command
        const messages = messagesOf(world, command.messages).map((message) => checked(message))
        const appendKey = key === null ? undefined : { key, hash }
        return (storage) => storage.append(SessionId.make(session), messages, appendKey)
      }
      case "admit": {
        const { file, hash, key, metadata, output, session, text, textHash, whenBusy } = command
        const sessionId = SessionId.make(session)
        const files = file === null ? [] : [yield* findAsset(model, sessionId, file)]
        const runId = RunId.make(fresh(world, "r"))
        world.runs.push(runId)
        const admitted = admission({
          sessionId,
          runId,
          message: userMessage(text, files),
          metadata,
          output,
          idempotencyKey: key,
          hash,
          textHash,
          whenBusy,
          presence: newPresence(world)
        })
        return (storage) => storage.admit(admitted)
      }
      case "resume": {
        const runId = RunId.make(fresh(world, "r"))
        const of =
          command.of === "run"
            ? { runId: pick(world.runs, command.index) ?? RunId.make("none") }
            : command.of === "key"
              ? { idempotencyKey: "k1" }
              : ("newest" as const)
        world.runs.push(runId)
        const resumption = { sessionId: SessionId.make(command.session), runId, of, presence: newPresence(world) }
        return (storage) => storage.resume(resumption)
      }
      case "startNext": {
        const presence = newPresence(world)
        return (storage) => storage.startNext(SessionId.make(command.session), presence)
      }
      case "cancelQueued": {
        const runId = pick(world.runs, command.index) ?? RunId.make("none")
        return (storage) => storage.cancelQueued(runId)
      }
      case "takeOver": {
        const lease = yield* findLease(world, model, command.lease)
        const { late, reason, recovery } = command
        const count = yield* countOf(model, lease)
        const presence = newPresence(world)
        const lookedAt = world.now - command.ago
        const seen = { lease, count: late ? count - 1 : count, reason, lookedAt, recovery }
        return (storage) => storage.takeOver(seen, presence)
      }
      case "renew": {
        const presence = newPresence(world)
        return (storage) => storage.renew(presence)
      }
      case "requestCancel": {
        const runId = pick(world.runs, command.index) ?? RunId.make("none")
        return (storage) => storage.requestCancel(runId)
      }
      case "saveDraft": {
        const lease = yield* findLease(world, model, command.lease)
        const { ahead, text } = command
        const head = yield* headOf(model, lease)
        const draft = {
          runId: lease.runId,
          seq: Seq.make(Math.max(1, head + ahead)),
          model: { provider: "p", model: "m" },
          attempt: 1,
          retry: null,
          reasoning: "",
          text,
          calls: []
        }
        return (storage) => storage.saveDrafts([{ lease, draft }])
      }
      case "appendStep": {
        const lease = yield* findLease(world, model, command.lease)
        const calls = Array.from({ length: command.calls }, () => fresh(world, "c"))
        const message = assistant(command.text, calls, command.usage)
        const step = command.partial ? { ...message, partial: true as const } : message
        const { display, end, starts } = command
        const known = { starts, displays: [CallDisplay.none, display], startedAt: 7 }
        const sequel = end === null ? known : { ...known, end: { stopReason: end, detail: null } }
        return (storage) => storage.appendStep(lease, checked(step), sequel)
      }
      case "startCall": {
        const lease = yield* findLease(world, model, command.lease)
        const { seq } = yield* findPlace(model, lease, command.place)
        return (storage) => storage.startCall(lease, seq, command.display)
      }
      case "storeResult": {
        const lease = yield* findLease(world, model, command.lease)
        const { callId, name, seq } = yield* findPlace(model, lease, command.place)
        const { outcome, text, wrongCall } = command
        const id = wrongCall ? CallId.make("wrong") : callId
        const diff = { type: "diff", path: "a", before: null, after: text } as const
        const parts = [diff, { type: "json", value: [text, null] } as const, { type: "hologram", depth: 3 }]
        const result = { role: "tool", callId: id, name, outcome, text, parts } as const
        return (storage) => storage.storeResult(lease, seq, checked(result))
      }
      case "releaseRun": {
        const lease = yield* findLease(world, model, command.lease)
        return (storage) => storage.releaseRun(lease)
      }
      case "endRun": {
        const lease = yield* findLease(world, model, command.lease)
        const { detail, stopReason } = command
        return (storage) => storage.endRun(lease, { stopReason, detail })
      }
      case "ask": {
        const lease = yield* findLease(world, model, command.lease)
        const { callId, name, seq } = yield* findPlace(model, lease, command.place)
        const id = QuestionId.make(fresh(world, "q"))
        world.questions.push(id)
        const question = {
          id,
          seq,
          callId,
          tool: name,
          access: "write",
          input: "\ud800",
          display: command.display
        } as const
        return (storage) => storage.ask(lease, question)
      }
      case "answer": {
        const waiting = command.waiting ? (yield* model.questions(null)).map(({ id }) => id) : []
        const id = pick(waiting, command.index) ?? pick(world.questions, command.index) ?? QuestionId.make("none")
        return (storage) => storage.answer(id, { verdict: command.verdict, message: "because", by: "Ann" })
      }
      case "beginDelete":
        return (storage) => storage.beginDelete(SessionId.make(command.session))
      case "hide":
        return (storage) => storage.hide(SessionId.make(command.session))
      case "purge":
        return (storage) => purgeAll(storage, SessionId.make(command.session))
      case "forget":
        return (storage) => storage.forget(SessionId.make(command.session))
      case "destroy": {
        const sessionId = SessionId.make(command.session)
        return (storage) =>
          Effect.all([
            storage.beginDelete(sessionId),
            storage.hide(sessionId),
            purgeAll(storage, sessionId),
            storage.forget(sessionId)
          ])
      }
      case "prune": {
        const retention = { before: world.now - command.age, keep: command.keep, since: world.now + 1 }
        return (storage) => Effect.repeat(storage.prune(retention), { while: (more) => more })
      }
      case "saveAsset": {
        const asset = {
          id: AssetId.make(fresh(world, "a")),
          sessionId: SessionId.make(command.session),
          name: null,
          mediaType: "image/png",
          size: 1,
          sha256: "00",
          createdAt: world.ids
        }
        return (storage) => storage.saveAsset(asset)
      }
      case "deleteAsset": {
        const sessionId = SessionId.make(command.session)
        const assetId = yield* findAsset(model, sessionId, command.index)
        return (storage) => storage.deleteAsset(sessionId, assetId)
      }
    }
  })

const lacking = (model: ReaderService, command: Command) =>
  Effect.gen(function* (): Effect.fn.Return<Command | null, { readonly _tag: string }> {
    if (command._tag === "create") return null
    const session = "session" in command ? command.session : "lease" in command ? sessionOf(command.lease) : null
    if (session === null) return null
    const sessionId = SessionId.make(session)
    const isThere = Either.isRight(yield* Effect.either(model.session(sessionId)))
    const isDeleting = (yield* model.deleting).some((deleting) => deleting.sessionId === sessionId)
    if (!isThere && !isDeleting) return { _tag: "create", session, title: null, metadata: {} }
    if (isDeleting || !("lease" in command)) return null
    const { holder, queued } = yield* model.activity(sessionId)
    if (Option.isNone(holder)) return queued.length > 0 ? { _tag: "startNext", session } : { ...admitHello, session }
    if (!("place" in command) || command.place.pick !== "open") return null
    const { calls } = yield* model.openBatch(sessionId)
    return calls.length > 0
      ? null
      : {
          _tag: "appendStep",
          lease: command.lease,
          calls: 4,
          partial: false,
          text: "I call",
          usage: 1,
          starts: [],
          display: CallDisplay.none,
          end: null
        }
  })

const sessionOf = (lease: LeasePick): string | null => (lease.pick === "holder" ? lease.session : null)

const admitHello = {
  _tag: "admit",
  text: "Hello",
  file: null,
  key: null,
  hash: "h1",
  textHash: "t1",
  whenBusy: "queue",
  metadata: {},
  output: null
} as const

const fresh = (world: World, prefix: string): string => `${prefix}x${++world.ids}`

/** Where one of the sessions is placed. Some engines do not serve it. */
const placed = "a-host"

/** One of three engines; each may hold several runs at the same time. */
const newPresence = (world: World): Presence => ({
  engine: { bootId: "boot", pidNamespace: "ns", pid: 1, startTime: "1", instance: `i${world.ids % 3}`, host: null },
  sign: { clock: "boot", at: ++world.ids },
  leaseMillis: 10_000 + (world.ids % 7),
  placements: world.ids % 4 === 0 ? [] : [placed]
})

const pick = <A>(items: ReadonlyArray<A>, index: number): A | undefined => items[index % Math.max(1, items.length)]

const forged: Lease = { sessionId: SessionId.make("s1"), runId: RunId.make("none"), fence: 1 }

const findLease = (world: World, model: ReaderService, lease: LeasePick) => {
  const given = (index: number) => pick(world.leases.toReversed(), index) ?? forged
  switch (lease.pick) {
    case "holder":
      return model.activity(SessionId.make(lease.session)).pipe(
        Effect.map(({ holder }) => (Option.isSome(holder) ? holder.value.lease : given(0))),
        Effect.orElseSucceed(() => given(0))
      )
    case "given":
      return Effect.succeed(given(lease.index))
    case "forged":
      return Effect.succeed({ ...given(lease.index), fence: given(lease.index).fence + lease.by })
  }
}

const countOf = (model: ReaderService, lease: Lease) =>
  model.activity(lease.sessionId).pipe(
    Effect.map(({ holder }) => Option.match(holder, { onNone: () => 0, onSome: ({ beat }) => beat.count })),
    Effect.orElseSucceed(() => 0)
  )

const headOf = (model: ReaderService, lease: Lease) =>
  model.session(lease.sessionId).pipe(
    Effect.map(({ head }) => head),
    Effect.orElseSucceed(() => 0)
  )

const findPlace = (model: ReaderService, lease: Lease, place: PlacePick) =>
  Effect.gen(function* () {
    const { sessionId } = lease
    const { calls, stored } = yield* model.openBatch(sessionId)
    const nowhere = { seq: Seq.make(1), callId: CallId.make("none"), name: "none" }
    if (place.pick === "open") return pick(calls, place.index) ?? nowhere
    const results =
      place.pick === "finished"
        ? stored
        : Chunk.toReadonlyArray(yield* Stream.runCollect(model.transcript({ sessionId })))
    const found = place.pick === "finished" ? pick(results, place.index) : results.find(({ seq }) => seq === place.seq)
    if (found === undefined) return place.pick === "any" ? { ...nowhere, seq: Seq.make(place.seq) } : nowhere
    const { message, seq } = found
    return message.role === "tool" ? { seq, callId: message.callId, name: message.name } : { ...nowhere, seq }
  }).pipe(
    Effect.catchTag("SessionNotFound", () =>
      Effect.succeed({ seq: Seq.make(3), callId: CallId.make("none"), name: "none" })
    )
  )

const findAsset = (model: ReaderService, sessionId: SessionId, index: number) =>
  model.assets(sessionId).pipe(
    Effect.map((assets) => pick(assets, index)?.id ?? AssetId.make("missing")),
    Effect.orElseSucceed(() => AssetId.make("missing"))
  )

const userMessage = (text: string, files: ReadonlyArray<AssetId>): UserMessage => ({
  role: "user",
  parts: [
    { type: "text", text },
    ...files.map((assetId) => ({ type: "file" as const, assetId, mediaType: "image/png" }))
  ]
})

const assistant = (text: string, calls: ReadonlyArray<string>, tokens: number | null): AssistantMessage => ({
  role: "assistant",
  parts: [
    { type: "text", text },
    ...calls.map((id) => ({
      type: "call" as const,
      callId: CallId.make(id),
      name: `tool ${id}`,
      input: '{"half a surrogate":"\ud800'
    }))
  ],
  model: { provider: "p", model: "m" },
  finish: "other",
  usage: { ...Usage.unknown, inputTokens: tokens, outputTokens: 1, costMicroUsd: tokens === null ? null : 3 * tokens }
})

/** Messages outside a run: calls, their results in any order, or other messages. */
const messagesOf = (world: World, kinds: ReadonlyArray<string>): ReadonlyArray<Message> => {
  let open: ReadonlyArray<string> = []
  const resultOf = (id: string | undefined): Message => {
    open = open.filter((other) => other !== id)
    return { role: "tool", callId: CallId.make(id ?? "none"), name: "tool", outcome: "success", text: "done" }
  }
  return kinds.map((kind): Message => {
    switch (kind) {
      case "user":
        return userText("Hello")
      case "calls":
        open = [fresh(world, "c"), fresh(world, "c")]
        return assistant("", open, null)
      case "result":
        return resultOf(open[0])
      case "other result":
        return resultOf(open[1])
      case "blank":
        return userText(" ")
      case "other":
        return { role: "other", unknownRole: "critic", stored: { role: "critic", text: "boo" } }
      default:
        return assistant("Yes", [], 3)
    }
  })
}

const purgeAll = (storage: Service, sessionId: SessionId) =>
  Effect.repeat(storage.purge(sessionId), { until: (removed) => removed === 0 })
