/** A run that ended without an answer, for people: the cause, then what to do about it. Pure. */
import * as ContextOverflow from "../../domain/ContextOverflow.js"
import * as ModelFailure from "../../domain/ModelFailure.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { RunStopped } from "../../domain/SkeinError.js"
import type { ProvidersConfig } from "../providers/Providers.js"
import * as Codes from "./texts/Codes.js"
import { doctorShowsMore } from "./texts/Failures.js"
import * as Texts from "./texts/Stops.js"

/** What the advice depends on. */
export interface Setting {
  readonly sessionId: string
  /** What another command needs to find the session: "", or a blank and options. */
  readonly place: string
  /** The configuration file's path. */
  readonly path: string
  readonly providers: ProvidersConfig["providers"]
  /** The models that the provider has, null when it was not asked or did not say. */
  readonly models: ReadonlyArray<string> | null
}

/** Whether a provider does not know the model. */
export const isUnknownModel = ({ detail, reason, status }: ModelFailure.ModelFailure): boolean =>
  reason === "rejected" &&
  (status === 404 ||
    /model.{0,60}(not found|does not exist|not exist|unknown)|(unknown|invalid|no such) model/i.test(detail))

const variables: Readonly<Record<string, string>> = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" }

const keyAdvice = (provider: string, { path, providers }: Setting): string => {
  const entry = providers[provider]
  const variable = entry?.apiKey?.env ?? (entry?.baseUrl === undefined ? variables[entry?.kind ?? provider] : undefined)
  return variable === undefined ? Texts.nameKey(provider, path) : Texts.checkKey(variable)
}

const mostModels = 10

const modelAdvice = ({ models }: Setting): ReadonlyArray<string> =>
  models === null || models.length === 0
    ? [Texts.checkModel]
    : [Texts.models(models.slice(0, mostModels), models.length - mostModels), Texts.checkModel]

const ofModel = (failure: ModelFailure.ModelFailure, setting: Setting, resume: string): ReadonlyArray<string> => {
  const { detail, reason, status } = failure
  const { model, provider } = failure.ref
  const name = ModelRef.toText(failure.ref)
  if (reason === "unauthorized")
    return [Texts.unauthorized(provider, status, detail), keyAdvice(provider, setting), resume]
  if (isUnknownModel(failure)) return [Texts.unknownModel(provider, model, status, detail), ...modelAdvice(setting)]
  if (reason === "rejected" && ContextOverflow.read(detail) !== null) {
    return [Texts.tooLong(name, status, detail), Texts.setContext(provider, setting.path), resume]
  }
  if (reason === "rejected") return [Texts.rejected(name, status, detail), resume]
  return [Texts.failed(name, Texts.modelReasons[reason], status, detail), resume]
}

const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`)

/** One line of sentences. */
export const describe = (
  { detail, stopReason }: RunStopped,
  ref: ModelRef.ModelRef | null,
  setting: Setting
): string => {
  const resume = Texts.resume(setting.sessionId, setting.place)
  const failure = stopReason === "failed" ? ModelFailure.fromText(detail ?? "") : null
  const cause = `${Texts.reasons[stopReason] ?? stopReason}${detail === null ? "" : `: ${detail}`}`
  const limit = stopReason === "output-limit" && ref !== null ? [Texts.setOutput(ref.provider, setting.path)] : []
  const doctor = stopReason === "failed" && Codes.tellsDamage(detail ?? "") ? [doctorShowsMore] : []
  const parts =
    failure !== null
      ? ofModel(failure, setting, resume)
      : stopReason === "deleted" || stopReason === "refused"
        ? [cause]
        : [cause, ...limit, ...doctor, resume]
  const [first = "", ...others] = parts
  const last = others.at(-1)
  if (last === undefined) return first
  return [...[first, ...others.slice(0, -1)].map(sentence), last].join(" ")
}
