/** A session's transcript for people. Pure. Shows the first lines of a result; `--json` prints all of them. */
import {
  callsOf,
  type Entry,
  filesOf,
  isDiff,
  type Message,
  type OtherMessage,
  type ResultMessage,
  textOf
} from "../../domain/Message.js"
import * as Amounts from "../../domain/Amounts.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { Session } from "../../domain/Session.js"
import type { Snapshot } from "../../services/gateway/Gateway.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as CallText from "./CallText.js"
import * as DiffText from "./DiffText.js"
import { moment } from "./SessionTable.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as AgentTexts from "./texts/Agents.js"
import * as Texts from "./texts/Sessions.js"

const mostLines = 12
const mostCharacters = 200

const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n")

const textLines = (text: string): string =>
  text.trim() === "" ? "" : `${indent(TerminalText.block(text).trimEnd())}\n`

const firstLines = (ansi: Ansi, text: string): string => {
  const lines = text.trimEnd().split("\n")
  const shown = lines.slice(0, mostLines).map((line) => `  ${TerminalText.short(line, mostCharacters)}\n`)
  const more = lines.length - mostLines
  return shown.join("") + (more > 0 ? ansi.dim(`  ${Texts.moreLines(more)}\n`) : "")
}

const usageOf = ({ costMicroUsd, inputTokens, outputTokens }: Session["usage"]): ReadonlyArray<string> =>
  inputTokens + outputTokens + costMicroUsd === 0
    ? []
    : [Texts.usage(Amounts.count(inputTokens), Amounts.count(outputTokens), Amounts.cost(costMicroUsd))]

export const heading = (ansi: Ansi, session: Session): string => {
  const { agent, createdAt, head, id, model, title, usage, workdir } = session
  const facts = [
    id,
    ...(workdir === null ? [] : [TerminalText.line(workdir)]),
    ...(model === null ? [] : [TerminalText.line(ModelRef.toText(model))]),
    ...(agent === null ? [] : [AgentTexts.of(TerminalText.line(agent))]),
    Texts.messageCount(head),
    ...usageOf(usage),
    Texts.created(moment(createdAt))
  ]
  return `${ansi.bold(TerminalText.line(title))}\n${ansi.dim(facts.join(" · "))}\n`
}

const authorOf = (ansi: Ansi, message: Message): string => {
  if (message.role === "user") return ansi.bold(Texts.user)
  if (message.role === "assistant") return ansi.bold(TerminalText.line(ModelRef.toText(message.model)))
  if (message.role === "other") return ansi.dim(Texts.unknown(TerminalText.short(message.unknownRole, mostCharacters)))
  const outcome = message.outcome === "success" ? ansi.green("✓") : ansi.red(`✗ ${message.outcome}`)
  return `${ansi.bold(TerminalText.line(message.name))} ${outcome}`
}

const fileLines = (message: Message): ReadonlyArray<string> =>
  filesOf(message).map(({ assetId, name }) => `  ${Texts.file(assetId, name && TerminalText.short(name, 80))}\n`)

const known = {
  user: ["text", "file"],
  assistant: ["text", "reasoning", "call"],
  tool: ["file", "diff", "json"]
}

const unknownLines = (ansi: Ansi, { parts = [], role }: Exclude<Message, OtherMessage>): ReadonlyArray<string> =>
  parts.flatMap(({ type }) =>
    known[role].includes(type) ? [] : [ansi.dim(`  ${Texts.unknown(TerminalText.short(type, mostCharacters))}\n`)]
  )

const resultOf = (ansi: Ansi, message: ResultMessage): string => {
  const { parts = [] } = message
  const most = { lines: mostLines, columns: mostCharacters }
  const diffs = parts.filter(isDiff).flatMap((diff) => DiffText.lines(ansi, diff, most))
  return [
    firstLines(ansi, message.text),
    ...fileLines(message),
    ...diffs.map((line) => `  ${line}\n`),
    ...unknownLines(ansi, message)
  ].join("")
}

/** What there is to say of an answer that broke off, or that holds nothing. */
const remarkOf = (message: Message): string | null => {
  if (message.role !== "assistant") return null
  if (message.partial === true) return Texts.brokenOff
  return message.parts.length === 0 ? Texts.emptyAnswer : null
}

const contentOf = (ansi: Ansi, message: Message): string => {
  if (message.role === "other") return ""
  if (message.role === "tool") return resultOf(ansi, message)
  const calls = callsOf(message).map(({ input, name }) => `  → ${CallText.summary(name, input)}\n`)
  const files = fileLines(message)
  const remark = remarkOf(message)
  const remarks = remark === null ? "" : ansi.dim(`  ${remark}\n`)
  return [textLines(textOf(message)), ...files, ...unknownLines(ansi, message), remarks, ...calls].join("")
}

export const entry = (ansi: Ansi, { message, seq }: Entry): string =>
  `\n${ansi.dim(`#${seq}`)} ${authorOf(ansi, message)}\n${contentOf(ansi, message)}`

/** The calls without a result, and the run that holds the session. */
export const ending = (ansi: Ansi, { batch, questions, run, session }: Snapshot): string => {
  const asked = new Set<string>(questions.map(({ callId }) => callId))
  const open = batch.calls.map(({ callId, name, seq, state }) => {
    const waits = asked.has(callId) ? `, ${Texts.awaitsPermission}` : ""
    return `\n${ansi.dim(`#${seq}`)} ${ansi.bold(TerminalText.line(name))} ${state}${waits}\n`
  })
  const state = run === null ? "" : `\n${run.crashed ? Texts.crashed(session.id) : Texts.running(run.run.id)}\n`
  return open.join("") + ansi.yellow(state)
}
