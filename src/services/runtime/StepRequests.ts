/**
 * What a model is asked in a step: the session's view, cut so that it and the answer fit into the model's context.
 *
 * A provider's refusal may say how to ask instead. Each of these corrections is made once a step, that of the context up
 * to three times, without a wait, and what was learned is kept while the engine lives, for a bounded number of sessions
 * and models. Only what a model's context holds is learned for all sessions; everything else depends on what is in a
 * session. What depends on a model's provider or tokenizer is learned for each model of a session.
 * - Reasoning is refused because it came from another account, server or conversation: all of it is left out. What the
 *   model writes from then on is sent back.
 * - The request did not fit: the view is cut to what the provider says, or else to what fits if the text is denser than
 *   was assumed (`Density`).
 * - A picture or another file is refused, or the files make the request too large, also where cutting the view does not
 *   help: those of earlier messages, and those of all results so far, are named and no longer shown. So are files for whose
 *   sake the view was cut, once they are no longer in it: then it need not be.
 * - The form of the answer is refused: the system prompt asks for it, as for models that do not take it.
 */
import { Effect, Option } from "effect"
import * as ContextOverflow from "../../domain/ContextOverflow.js"
import * as Density from "../../domain/Density.js"
import type { JsonRecord } from "../../domain/Json.js"
import * as ModelRef from "../../domain/ModelRef.js"
import * as Output from "../../domain/Output.js"
import * as OutputBudget from "../../domain/OutputBudget.js"
import * as Place from "../../domain/Place.js"
import type { Seq, Session, SessionId } from "../../domain/Session.js"
import { ModelFailed } from "../../domain/SkeinError.js"
import * as View from "../../domain/View.js"
import type { Agent } from "../Agents.js"
import { Assets } from "../assets/Assets.js"
import type { Model, StepRequest } from "../Model.js"
import type { RunTranscript } from "./RunTranscript.js"

/** Fewest characters that a view is cut to. */
const leastRoom = 1_000

/** Most sessions and models about which something is remembered. */
const remembered = 1_000

/** A way to ask differently. */
export type Correction = "reasoning" | "context" | "files" | "output"

interface Way {
  readonly correction: Correction
  readonly learn: () => void
}

/** How often a correction is made in a step. */
const mostOf = (correction: Correction): number => (correction === "context" ? 3 : 1)

/** One step's agent and model, and what it is asked about. */
export interface Question {
  readonly session: Session
  /** The form of the run's answer. */
  readonly output: JsonRecord | null
  readonly agent: Agent
  readonly model: Model
  readonly transcript: RunTranscript
}

const namesFiles = /\b(?:image|picture|photo|media|file|document|pdf)s?\b|image_|invalid_image/iu
const namesReasoning = /signature|thinking|reasoning|encrypted[_ ]content/iu

const namesOutput = /response_?format|json_?schema|output_?(?:config|format)|text\.format|structured output/iu

/** Whether the refusal is about the request's files: their kind or content, or the bytes that they make it have. */
const blamesFiles = ({ view }: StepRequest, { detail, status }: ModelFailed): boolean =>
  View.files(view).length > 0 && (status === 413 || (ContextOverflow.read(detail) === null && namesFiles.test(detail)))

const remember = <K, V>(known: Map<K, V>, key: K, value: V): void => {
  known.delete(key)
  known.set(key, value)
  for (const oldest of known.keys()) {
    if (known.size <= remembered) return
    known.delete(oldest)
  }
}

/** Approximately how many characters a request has besides its view. */
const fixedCharacters = ({ agent: { system, toolbox }, output }: Question): number =>
  toolbox.size + (system ?? "").length + (output === null ? 0 : Output.instruction(output).length)

/** A model of a session. */
const keyOf = ({ model, session }: Question): string => `${session.id} ${ModelRef.toText(model)}`

const systemOf = ({ agent: { system } }: Question, asked: JsonRecord | null): string | null =>
  asked === null ? system : [...(system === null ? [] : [system]), Output.instruction(asked)].join("\n\n")

export const make = Effect.gen(function* () {
  const assets = yield* Assets
  const refusedReasoning = new Map<SessionId, Seq>()
  const refusedFiles = new Map<string, { readonly messages: Seq | null; readonly results: Seq | null }>()
  const refusedOutputs = new Map<SessionId, string>()
  const contexts = new Map<string, number>()
  const densities = new Map<string, Density.Density>()

  /** The tokens that fit into the model's context, by what the model says and by what its provider has said. */
  const contextOf = (model: Model): number | null => {
    const learnt = contexts.get(ModelRef.toText(model)) ?? null
    return learnt === null || model.contextTokens === null
      ? (learnt ?? model.contextTokens)
      : Math.min(learnt, model.contextTokens)
  }

  const densityOf = (question: Question) => densities.get(keyOf(question)) ?? Density.assumed

  /** Whether the provider makes the model follow the form. */
  const isHeld = ({ model, output, session }: Question): boolean =>
    output !== null && model.takesOutput?.(output) === true && refusedOutputs.get(session.id) !== ModelRef.toText(model)

  /** The options with what the answer may have, and the tokens that are left for the question; null when unknown. */
  const budgetOf = ({ agent, model, session }: Question) => {
    const options = ModelRef.merge(agent.options, session.model?.options ?? {})
    const context = contextOf(model)
    const wanted = model.outputTokens?.(options) ?? options.maxOutputTokens ?? OutputBudget.standard
    const output = OutputBudget.within(wanted, context)
    return {
      options: output < wanted ? { ...options, maxOutputTokens: output } : options,
      left: context === null ? null : context - output
    }
  }

  const requestWith = Effect.fnUntraced(function* (question: Question) {
    const { agent, model, output: form, session, transcript } = question
    const held = isHeld(question)
    const { left, options } = budgetOf(question)
    const files = refusedFiles.get(keyOf(question))
    const room = left === null ? null : Math.floor(left * densityOf(question).value) - fixedCharacters(question)
    const request: StepRequest = {
      system: systemOf(question, held ? null : form),
      view: yield* transcript.view({
        provider: model.provider,
        model: model.model,
        reasoningAfter: refusedReasoning.get(session.id) ?? null,
        filesAfter: files?.messages ?? null,
        resultFilesAfter: files?.results ?? null,
        showsResultFiles: model.takesFilesInResults === true,
        maxCharacters: room === null ? null : Math.max(room, leastRoom),
        leavesOutRefused: model.takesRefusedTurns === false
      }),
      tools: agent.toolbox.definitions,
      options,
      output: held ? form : null,
      file: (assetId, most) => assets.bytes(session.id, assetId, most)
    }
    return request
  })

  const requestOf = Effect.fnUntraced(function* (question: Question) {
    const request = yield* requestWith(question)
    const density = densityOf(question)
    if (!Density.isOver(density, request.view)) return request
    // Without the lesson more fits, but not these files again.
    remember(densities, keyOf(question), Density.forget(density))
    hideFiles(question, density.place, density.place)
    return yield* requestWith(question)
  })

  const hideFiles = (question: Question, messages: Seq | null, results: Seq | null): void => {
    const hidden = refusedFiles.get(keyOf(question)) ?? { messages: null, results: null }
    remember(refusedFiles, keyOf(question), {
      messages: Place.later(hidden.messages, messages),
      results: Place.later(hidden.results, results)
    })
  }

  const learnFiles = (question: Question): void =>
    hideFiles(question, question.transcript.beforeQuestion(), question.transcript.head())

  const learnContext = (question: Question, refused: Density.Refused, isFirst: boolean): void => {
    const { model, transcript } = question
    const { limit } = refused.overflow
    const known = contextOf(model)
    if (limit !== null) remember(contexts, ModelRef.toText(model), limit)
    const fitting = contextOf(model) === known ? budgetOf(question).left : null
    const lesson = Density.learn(densityOf(question), refused, fitting, { isFirst, place: transcript.head() })
    remember(densities, keyOf(question), lesson)
  }

  /** Returns what a refusal says about the request: ways to ask instead, the best one first. Trying one is remembered. */
  const waysOf = (
    question: Question,
    request: StepRequest,
    failure: ModelFailed,
    tried: ReadonlyArray<Correction>
  ): ReadonlyArray<Way> => {
    const { model, session, transcript } = question
    if (failure.reason !== "rejected") return []
    const last = transcript.head()
    if (last !== null && namesReasoning.test(failure.detail) && View.hasReasoning(request.view)) {
      return [{ correction: "reasoning", learn: () => remember(refusedReasoning, session.id, last) }]
    }
    const overflow = ContextOverflow.read(failure.detail)
    if (overflow === null && request.output !== null && namesOutput.test(failure.detail)) {
      return [{ correction: "output", learn: () => remember(refusedOutputs, session.id, ModelRef.toText(model)) }]
    }
    const files: ReadonlyArray<Way> =
      View.files(request.view).length === 0 ? [] : [{ correction: "files", learn: () => learnFiles(question) }]
    if (overflow === null) return blamesFiles(request, failure) ? files : []
    const refused = { view: request.view, overflow, fixed: fixedCharacters(question) }
    const context: ReadonlyArray<Way> =
      (overflow.limit ?? contextOf(model)) === null
        ? []
        : [{ correction: "context", learn: () => learnContext(question, refused, !tried.includes("context")) }]
    const isOfFiles = blamesFiles(request, failure) || Density.isOfFiles(refused)
    return isOfFiles ? [...files, ...context] : [...context, ...files]
  }

  /** Returns a request that may be accepted instead of the refused one; None without a new correction. */
  const correct = Effect.fnUntraced(function* (
    question: Question,
    request: StepRequest,
    failure: ModelFailed,
    tried: ReadonlyArray<Correction>
  ) {
    for (const { correction, learn } of waysOf(question, request, failure, tried)) {
      if (tried.filter((one) => one === correction).length >= mostOf(correction)) continue
      const before = densityOf(question)
      learn()
      const corrected = yield* requestOf(question)
      const isOther =
        View.characters(corrected.view) < View.characters(request.view) ||
        View.hasReasoning(corrected.view) !== View.hasReasoning(request.view) ||
        View.files(corrected.view).length < View.files(request.view).length ||
        corrected.output !== request.output ||
        corrected.options.maxOutputTokens !== request.options.maxOutputTokens
      if (isOther) return Option.some({ correction, request: corrected })
      remember(densities, keyOf(question), before)
    }
    const isInVain = failure.reason === "rejected" && ContextOverflow.read(failure.detail) !== null
    if (isInVain && tried.includes("context")) {
      remember(densities, keyOf(question), Density.forget(densityOf(question)))
    }
    return Option.none()
  })

  /** What the user can do; null when the failure says it all. */
  const help = ({ model }: Question, request: StepRequest, failure: ModelFailed): string | null => {
    if (failure.reason !== "rejected") return null
    if (blamesFiles(request, failure)) {
      const shown = View.files(request.view).map(({ assetId, name }) => name ?? assetId)
      return `the message shows ${shown.slice(0, 5).join(", ")}: delete the file with deleteAsset, or send the next message, which goes without it`
    }
    return ContextOverflow.read(failure.detail) !== null && model.contextTokens === null
      ? `set contextTokens of ${model.provider} to what the model's context holds`
      : null
  }

  /** Returns the failure, with advice where the user has to help. */
  const explain = (question: Question, request: StepRequest, failure: ModelFailed): ModelFailed => {
    const { detail, model, reason, retryAfterMillis, status } = failure
    const advice = help(question, request, failure)
    return advice === null
      ? failure
      : new ModelFailed({ model, reason, status, retryAfterMillis, detail: `${detail} (${advice})` })
  }

  return { requestOf, correct, explain }
})
