/**
 * What a model is asked in a step: the session's view, cut so that it and the answer fit into the model's context.
 *
 * A provider's refusal may say how to ask instead. Each of these corrections is made once a step, without a wait, and
 * what was learned is kept while the engine lives, for a bounded number of sessions and models. Only what a model's
 * context holds is learned for all sessions; everything else depends on what is in a session.
 * - Reasoning is refused because it came from another account, server or conversation: all of it is left out. What the
 *   model writes from then on is sent back.
 * - The request did not fit, and the provider says what fits: the view is cut to that.
 * - A picture or another file is refused: those of earlier messages, and those of all results so far, are named and no
 *   longer shown.
 * - The form of the answer is refused: the system prompt asks for it, as for models that do not take it.
 */
import { Effect, Option } from "effect"
import * as ContextOverflow from "../../domain/ContextOverflow.js"
import type { JsonRecord } from "../../domain/Json.js"
import * as ModelRef from "../../domain/ModelRef.js"
import * as Output from "../../domain/Output.js"
import * as OutputBudget from "../../domain/OutputBudget.js"
import type { Seq, Session, SessionId } from "../../domain/Session.js"
import { ModelFailed } from "../../domain/SkeinError.js"
import * as View from "../../domain/View.js"
import type { Agent } from "../Agents.js"
import { Assets } from "../assets/Assets.js"
import type { Model, StepRequest } from "../Model.js"
import type { RunTranscript } from "./RunTranscript.js"

/** Characters that a token is assumed to have until a provider has counted fewer, and how few are believed. */
const charactersPerToken = { standard: 3, least: 0.5 }

/** Leaves a provider's count room to grow until it counts again. */
const margin = 0.9

/** Fewest characters that a view is cut to. */
const leastRoom = 1_000

/** Most sessions and models about which something is remembered. */
const remembered = 1_000

/** A way to ask differently. */
export type Correction = "reasoning" | "context" | "files" | "output"

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

const systemOf = ({ agent: { system } }: Question, asked: JsonRecord | null): string | null =>
  asked === null ? system : [...(system === null ? [] : [system]), Output.instruction(asked)].join("\n\n")

export const make = Effect.gen(function* () {
  const assets = yield* Assets
  const refusedReasoning = new Map<SessionId, Seq>()
  const refusedFiles = new Map<SessionId, Pick<View.Options, "filesAfter" | "resultFilesAfter">>()
  const refusedOutputs = new Map<SessionId, string>()
  const contexts = new Map<string, number>()
  const densities = new Map<SessionId, number>()

  /** The tokens that fit into the model's context, by what the model says and by what its provider has said. */
  const contextOf = (model: Model): number | null => {
    const learnt = contexts.get(ModelRef.toText(model)) ?? null
    return learnt === null || model.contextTokens === null
      ? (learnt ?? model.contextTokens)
      : Math.min(learnt, model.contextTokens)
  }

  const densityOf = ({ id }: Session): number => densities.get(id) ?? charactersPerToken.standard

  /** Whether the provider makes the model follow the form. */
  const isHeld = ({ model, output, session }: Question): boolean =>
    output !== null && model.takesOutput?.(output) === true && refusedOutputs.get(session.id) !== ModelRef.toText(model)

  const requestOf = Effect.fnUntraced(function* (question: Question) {
    const { agent, model, output: form, session, transcript } = question
    const held = isHeld(question)
    const options = ModelRef.merge(agent.options, session.model?.options ?? {})
    const context = contextOf(model)
    const wanted = model.outputTokens?.(options) ?? options.maxOutputTokens ?? OutputBudget.standard
    const output = OutputBudget.within(wanted, context)
    const room =
      context === null ? null : Math.floor((context - output) * densityOf(session)) - fixedCharacters(question)
    const request: StepRequest = {
      system: systemOf(question, held ? null : form),
      view: yield* transcript.view({
        provider: model.provider,
        model: model.model,
        reasoningAfter: refusedReasoning.get(session.id) ?? null,
        filesAfter: refusedFiles.get(session.id)?.filesAfter ?? null,
        resultFilesAfter: refusedFiles.get(session.id)?.resultFilesAfter ?? null,
        showsResultFiles: model.takesFilesInResults === true,
        maxCharacters: room === null ? null : Math.max(room, leastRoom),
        leavesOutRefused: model.takesRefusedTurns === false
      }),
      tools: agent.toolbox.definitions,
      options: output < wanted ? { ...options, maxOutputTokens: output } : options,
      output: held ? form : null,
      file: (assetId) => assets.bytes(session.id, assetId)
    }
    return request
  })

  const learnOfFiles = ({ session, transcript }: Question, request: StepRequest, detail: string): Correction | null => {
    if (View.files(request.view).length === 0 || !namesFiles.test(detail)) return null
    remember(refusedFiles, session.id, { filesAfter: transcript.beforeQuestion(), resultFilesAfter: transcript.head() })
    return "files"
  }

  /** Remembers what a refusal says about the request. Returns how to ask instead; null when it does not say. */
  const learn = (question: Question, request: StepRequest, { detail, reason }: ModelFailed): Correction | null => {
    if (reason !== "rejected") return null
    const last = question.transcript.head()
    if (last !== null && namesReasoning.test(detail) && View.hasReasoning(request.view)) {
      remember(refusedReasoning, question.session.id, last)
      return "reasoning"
    }
    const overflow = ContextOverflow.read(detail)
    if (overflow === null && request.output !== null && namesOutput.test(detail)) {
      remember(refusedOutputs, question.session.id, ModelRef.toText(question.model))
      return "output"
    }
    if (overflow === null) return learnOfFiles(question, request, detail)
    if (overflow.limit === null) return null
    const characters = View.characters(request.view) + fixedCharacters(question)
    remember(contexts, ModelRef.toText(question.model), overflow.limit)
    if (overflow.asked !== null) {
      const counted = Math.max((characters / overflow.asked) * margin, charactersPerToken.least)
      remember(densities, question.session.id, Math.min(densityOf(question.session), counted))
    }
    return "context"
  }

  /** Returns a request that may be accepted instead of the refused one; None without a new correction. */
  const correct = Effect.fnUntraced(function* (
    question: Question,
    request: StepRequest,
    failure: ModelFailed,
    tried: ReadonlySet<Correction>
  ) {
    const correction = learn(question, request, failure)
    if (correction === null || tried.has(correction)) return Option.none()
    const corrected = yield* requestOf(question)
    const isOther =
      View.characters(corrected.view) < View.characters(request.view) ||
      View.hasReasoning(corrected.view) !== View.hasReasoning(request.view) ||
      View.files(corrected.view).length < View.files(request.view).length ||
      corrected.output !== request.output ||
      corrected.options.maxOutputTokens !== request.options.maxOutputTokens
    return isOther ? Option.some({ correction, request: corrected }) : Option.none()
  })

  /** What the user can do; null when the failure says it all. */
  const help = ({ model }: Question, { view }: StepRequest, { detail, reason }: ModelFailed): string | null => {
    if (reason !== "rejected") return null
    if (ContextOverflow.read(detail) !== null) {
      return model.contextTokens === null
        ? `set contextTokens of ${model.provider} to what the model's context holds`
        : null
    }
    const shown = View.files(view).map(({ assetId, name }) => name ?? assetId)
    return shown.length > 0 && namesFiles.test(detail)
      ? `the message shows ${shown.slice(0, 5).join(", ")}: delete the file with deleteAsset, or send the next message, which goes without it`
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
