/**
 * Permissions: an agent's policy decides on each call, before the call waits for its key. There is no default policy:
 * the host chooses one. A human's answer is durable and belongs to the exact call that was asked about.
 *
 * Where people store rules, `byRules` lets the rules decide before any other policy.
 */
import { Context, Effect, Either, Layer, Ref } from "effect"
import type { Location } from "../domain/CallDisplay.js"
import type { CallId } from "../domain/Message.js"
import type { Access, Decision } from "../domain/Permission.js"
import * as BoundedJson from "../domain/BoundedJson.js"
import * as PermissionRule from "../domain/PermissionRule.js"
import type { Run } from "../domain/Run.js"
import type { Session } from "../domain/Session.js"

export type { Commands } from "../domain/PermissionRule.js"
export { Rule } from "../domain/PermissionRule.js"

/** A call, as a policy sees it. */
export interface Request {
  readonly session: Session
  readonly run: Run
  readonly callId: CallId
  readonly tool: string
  readonly access: Access
  /** The call's raw input. */
  readonly input: string
  /** The places that it works on, as its tool says. */
  readonly locations: ReadonlyArray<Location>
  /** The commands that it runs; null for a call that runs none. */
  readonly commands: Effect.Effect<PermissionRule.Commands> | null
}

/** Whether a call may run. Nobody is asked again about a tool that a human allowed for the session. */
export type Policy<R = never> = (request: Request) => Effect.Effect<Decision, never, R>

/** Lets the call run. */
export const allow: Extract<Decision, { readonly _tag: "Allow" }> = { _tag: "Allow" }
/** Asks a human; the call waits and holds nothing that others need. */
export const ask: Extract<Decision, { readonly _tag: "Ask" }> = { _tag: "Ask", always: null }
/** Denies the call; the model receives `message`. */
export const deny = (message: string): Decision => ({ _tag: "Deny", message })

const byAccess =
  (otherwise: Decision): Policy =>
  ({ access }) =>
    Effect.succeed(access === "read" ? allow : otherwise)

/** Allows reads and asks about everything else. */
export const askToWrite: Policy = byAccess(ask)

/** Allows everything: for workspaces where nothing can be lost. */
export const allowAll: Policy = () => Effect.succeed(allow)

/** Allows reads and denies everything else with `message`: for hosts where nobody can be asked. */
export const readOnly = (message: string): Policy => byAccess(deny(message))

/** A store of permission rules. */
export interface RulesService {
  /** The rules that apply to a session. */
  readonly of: (session: Session) => Effect.Effect<ReadonlyArray<PermissionRule.Rule>>
  /** Stores a rule permanently. Called when somebody answers `allow-always` to a question of the session. */
  readonly store: (session: Session, rule: PermissionRule.Rule) => Effect.Effect<void>
}

/** The permission rules that people have stored. */
export class Rules extends Context.Tag("skein/Permissions/Rules")<Rules, RulesService>() {}

/** Rules for all sessions, kept in memory. Stored rules are gone when the layer is closed. */
export const layerRules = (rules: ReadonlyArray<PermissionRule.Rule>): Layer.Layer<Rules> =>
  Layer.effect(
    Rules,
    Effect.map(Ref.make(rules), (all) => ({
      of: () => Ref.get(all),
      store: (_, rule) => Ref.update(all, (before) => [...before, rule])
    }))
  )

const compact = (input: string): string =>
  Either.match(BoundedJson.parse(input.trim() === "" ? "{}" : input), {
    onLeft: () => input,
    onRight: (value) => JSON.stringify(value)
  })

const subjectOf = ({ commands, input, locations, session, tool }: Request): Effect.Effect<PermissionRule.Subject> =>
  Effect.map(commands ?? Effect.succeed(null), (commands) => ({
    tool,
    commands,
    paths: locations.map(({ path }) => PermissionRule.placeOf(session.workdir, path)),
    input: compact(input)
  }))

/**
 * Decides by stored rules, deny before ask before allow. `otherwise` decides on calls that no rule covers. Where it
 * asks, the answer `allow-always` can allow such calls permanently. Calls that read leave out (`Tool.Call`'s `hides`) the
 * paths that a rule denies their tool or `read`, and what `otherwise` hides from the calls that it decides on. Paths are
 * compared as calls name them: links are not followed.
 */
export const byRules =
  <R>(otherwise: Policy<R>): Policy<R | Rules> =>
  (request) =>
    Effect.gen(function* () {
      const rules = yield* Rules
      const subject = yield* subjectOf(request)
      const stored = yield* rules.of(request.session)
      const judgement = PermissionRule.judge(stored, subject)
      const own = request.access === "read" ? PermissionRule.hiding(stored, request.tool) : null
      /** The decision, with what these rules hide too. */
      const hiding = <D extends Exclude<Decision, { readonly _tag: "Deny" }>>(decision: D): D => {
        const hides = PermissionRule.eitherHides(own ?? undefined, decision.hides)
        return hides === undefined ? decision : { ...decision, hides }
      }
      switch (judgement?.word) {
        case "allow":
          return hiding(allow)
        case "ask":
          return hiding(ask)
        case "deny":
          return deny(`a stored rule denies it${judgement.rule === null ? "" : `: ${judgement.rule.pattern}`}`)
        case undefined: {
          const decision = yield* otherwise(request)
          if (decision._tag === "Deny") return decision
          const pattern = PermissionRule.patternFor(subject)
          if (decision._tag === "Allow" || pattern === null) return hiding(decision)
          const store = rules.store(request.session, { word: "allow", pattern })
          return { ...hiding(decision), always: { pattern, store } }
        }
      }
    })
