/**
 * What a child does with its engine. It announces each wish before it asks for the change, and the outcome as soon as
 * the wish is answered.
 *
 * A session is `steady`: used by this place alone and never deleted; `mortal`: also used by this place alone, deleted
 * and created again by one actor that does one thing after the other; or `shared` by all places.
 */
import { Effect, Stream } from "effect"
import { createHash } from "node:crypto"
import type { AssetId } from "../../../src/domain/Asset.js"
import { userText } from "../../../src/domain/Message.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import type { Gateway } from "../../../src/index.js"
import type { Dice } from "../../support/verdicts/Dice.js"
import type { Outcome, Said, Setup, Wish } from "./Protocol.js"

interface Player {
  readonly gateway: Gateway.Service
  readonly dice: Dice
  readonly say: (said: Said) => void
  /** Returns a text that was never used before. */
  readonly fresh: () => string
  readonly place: number
}

/** The errors that a request may get here; nothing in this world fails except processes. */
const expected = new Set([
  "SessionExists",
  "SessionNotFound",
  "SessionDeleting",
  "SessionBusy",
  "RunNotFound",
  "QuestionNotFound",
  "QuestionAnswered",
  "AppendRefused",
  "AssetNotFound"
])

let wishes = 0

const nothing: Outcome = { run: null, asset: null, seq: null }

/** Returns the result, or null if the wish was refused. */
const wish = <A, E extends { readonly _tag: string; readonly message: string }>(
  { say }: Player,
  wish: Wish,
  effect: Effect.Effect<A, E>,
  outcomeOf: (value: A) => Partial<Outcome> = () => ({})
): Effect.Effect<A | null> =>
  Effect.suspend(() => {
    const number = ++wishes
    say({ _tag: "Wants", number, wish })
    return Effect.match(effect, {
      onFailure: ({ _tag, message }) => {
        say({ _tag: "Refused", number, error: _tag })
        if (!expected.has(_tag)) say({ _tag: "Breach", text: `${wish._tag} failed with ${_tag}: ${message}` })
        return null
      },
      onSuccess: (value) => {
        say({ _tag: "Got", number, outcome: { ...nothing, ...outcomeOf(value) } })
        return value
      }
    })
  })

const pause = ({ dice }: Player, most = 15) => Effect.suspend(() => Effect.sleep(dice.below(most)))

const create = (player: Player, session: SessionId) =>
  wish(player, { _tag: "Create", session }, player.gateway.create({ id: session, workdir: "/" }))

const send = (player: Player, session: SessionId, whenBusy: "queue" | "refuse") => {
  const text = player.fresh()
  return wish(
    player,
    { _tag: "Send", session, text },
    player.gateway.send({ sessionId: session, text, whenBusy }),
    (ref) => ({ run: ref.runId })
  )
}

const rename = (player: Player, session: SessionId) => {
  const title = player.fresh()
  return wish(player, { _tag: "Rename", session, title }, player.gateway.patch({ sessionId: session, title }))
}

const setModel = (player: Player, session: SessionId) => {
  const model = player.fresh()
  const ref = { provider: "dice", model }
  return wish(player, { _tag: "Model", session, model }, player.gateway.patch({ sessionId: session, model: ref }))
}

const patch = (player: Player, session: SessionId) => {
  const field = player.dice.pick(["one", "two"])
  const value = player.dice.below(1_000_000)
  return wish(
    player,
    { _tag: "Patch", session, field, value },
    player.gateway.patch({ sessionId: session, metadata: { [field]: value } })
  )
}

const append = (player: Player, session: SessionId) => {
  const text = player.fresh()
  return wish(
    player,
    { _tag: "Append", session, text },
    player.gateway.append(session, [userText(text)]),
    ([entry]) => ({ seq: entry?.seq ?? null })
  )
}

const save = (player: Player, session: SessionId, bytes: number) =>
  Effect.suspend(() => {
    const content = new Uint8Array(bytes).map((_, at) => (at * 31 + bytes) % 251)
    const sha256 = createHash("sha256").update(content).digest("hex")
    const pieces = Math.max(1, Math.ceil(bytes / 40_000))
    const stream = Stream.range(0, pieces - 1).pipe(
      Stream.tap(() => pause(player, 3)),
      Stream.map((piece) => content.subarray(piece * 40_000, (piece + 1) * 40_000))
    )
    return wish(
      player,
      { _tag: "Save", session, bytes, sha256 },
      player.gateway.saveAsset({ sessionId: session, mediaType: "application/octet-stream", content: stream }),
      ({ id }) => ({ asset: id })
    )
  })

const drop = (player: Player, session: SessionId, asset: AssetId) =>
  wish(player, { _tag: "Drop", session, asset }, player.gateway.deleteAsset(session, asset))

const remove = (player: Player, session: SessionId) =>
  wish(player, { _tag: "Delete", session }, player.gateway.delete(session))

const answer = (player: Player, { questionId, sessionId }: SessionEvent.OfType<"permission.asked">) =>
  Effect.gen(function* () {
    yield* pause(player, 40)
    const verdict = player.dice.pick(["allow-once", "allow-once", "allow-for-session", "deny"] as const)
    yield* wish(
      player,
      { _tag: "Answer", session: sessionId, question: questionId, verdict },
      player.gateway.answer({ questionId, verdict })
    )
  })

/** Announces all events of a session, stored ones first, and answers most questions, until the scope closes. */
const watch = Effect.fnUntraced(function* (player: Player, session: SessionId) {
  const scope = yield* Effect.scope
  yield* player.gateway.events({ sessionId: session }).pipe(
    Stream.filter(SessionEvent.isDurable),
    Stream.tap((event) => {
      player.say({ _tag: "Saw", event })
      const isAnswered = event.type === "permission.asked" && player.dice.chance(0.8)
      return isAnswered ? Effect.forkIn(answer(player, event), scope) : Effect.void
    }),
    Stream.runDrain,
    Effect.ignore,
    Effect.forkIn(scope)
  )
})

/** Waits for a run, but not forever: it may be waiting for a human. */
const follow = (player: Player, session: SessionId, ref: Effect.Effect.Success<ReturnType<typeof send>>) =>
  Effect.gen(function* () {
    if (ref === null) return
    const ended = yield* Effect.timeoutOption(Effect.ignore(player.gateway.await(ref)), 150 + player.dice.below(150))
    if (ended._tag === "Some" && !player.dice.chance(0.1)) return
    if (!player.dice.chance(0.6)) return
    yield* wish(player, { _tag: "Cancel", session, run: ref.runId }, player.gateway.cancel(ref.runId))
  })

const sender = (player: Player, session: SessionId) =>
  Effect.gen(function* () {
    if (player.dice.chance(0.3)) {
      const ref = yield* wish(player, { _tag: "Resume", session }, player.gateway.resume(session), ({ runId }) => ({
        run: runId
      }))
      yield* follow(player, session, ref)
    }
    for (let round = 1 + player.dice.below(2); round > 0; round--) {
      yield* pause(player)
      yield* follow(player, session, yield* send(player, session, player.dice.pick(["queue", "refuse"])))
    }
  })

const administrator = (player: Player, session: SessionId) =>
  Effect.gen(function* () {
    for (let round = 2 + player.dice.below(3); round > 0; round--) {
      yield* pause(player, 40)
      yield* player.dice.pick([rename, setModel, patch, append])(player, session)
    }
  })

const uploader = (player: Player, session: SessionId) =>
  Effect.gen(function* () {
    for (let round = 1 + player.dice.below(3); round > 0; round--) {
      yield* pause(player, 30)
      const asset = yield* save(player, session, player.dice.pick([1, 1_000, 100_000, 400_000]))
      if (asset !== null && player.dice.chance(0.4)) yield* drop(player, session, asset.id)
    }
  })

/** Creates and deletes the session, more than once. */
const mortal = (player: Player, session: SessionId) =>
  Effect.gen(function* () {
    if (player.dice.chance(0.3)) yield* remove(player, session)
    for (let round = 1 + player.dice.below(2); round > 0; round--) {
      yield* create(player, session)
      yield* save(player, session, player.dice.pick([1, 100_000]))
      yield* append(player, session)
      const ref = yield* send(player, session, "queue")
      if (player.dice.chance(0.5)) yield* follow(player, session, ref)
      else yield* pause(player, 30)
      if (player.dice.chance(0.8)) yield* remove(player, session)
    }
  })

const steadyOf = (place: number) => SessionId.make(`steady-${place}`)
const mortalOf = (place: number) => SessionId.make(`mortal-${place}`)
const shared = SessionId.make("shared")

/** Whether only one process changes the session. */
export const isOwn = (session: SessionId): boolean => session !== shared

const full = (player: Player) =>
  Effect.gen(function* () {
    const steady = steadyOf(player.place)
    yield* create(player, steady)
    yield* create(player, shared)
    const watched = [steady, shared, mortalOf(player.place)]
    yield* Effect.forEach(watched, (session) => watch(player, session))
    yield* Effect.all(
      [
        sender(player, steady),
        administrator(player, steady),
        uploader(player, steady),
        mortal(player, mortalOf(player.place)),
        sender(player, shared),
        uploader(player, shared)
      ],
      { concurrency: "unbounded" }
    )
  })

const small = (player: Player) =>
  Effect.gen(function* () {
    const steady = steadyOf(player.place)
    const mortal = mortalOf(player.place)
    yield* create(player, steady)
    yield* watch(player, steady)
    const ref = yield* send(player, steady, "refuse")
    if (ref !== null) yield* Effect.ignore(player.gateway.await(ref))
    const asset = yield* save(player, steady, 100_000)
    if (asset !== null) yield* drop(player, steady, asset.id)
    yield* rename(player, steady)
    yield* create(player, mortal)
    yield* save(player, mortal, 1_000)
    yield* remove(player, mortal)
  })

/** Plays the script to its end; what was started in the background ends with the scope. */
export const play = (player: Player, script: Setup["script"]) => (script === "full" ? full(player) : small(player))
