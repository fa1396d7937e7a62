/**
 * Questions that wait for an answer. The answers are above the input, so that a long input cannot push them out of
 * sight; the input is shown whole and as it is. A question that somebody else answers disappears by itself.
 */
import type { RefObject } from "preact"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
import * as Visible from "../model/Visible.js"
import type { Question, Verdict } from "../model/Wire.js"
import * as Api from "../net/Api.js"
import * as Pointing from "../state/Pointing.js"
import { useAnswer } from "./Answering.js"
import { Failure } from "./Failure.js"
import { useGrace } from "./Grace.js"
import { Input } from "./Input.js"
import { InquiryCard } from "./Inquiry.js"
import { Mark } from "./Mark.js"
import { Shown } from "./Shown.js"

/** Characters of a rule that is offered beside the other answers; a longer one is offered below the input. */
const mostBeside = 120

const Card = ({ question }: { readonly question: Question }) => {
  const { answer: send, failed, isSent } = useAnswer()
  const [isDenying, deny] = useState(false)
  const [reason, setReason] = useState("")
  const denying = useRef<HTMLButtonElement>(null)
  const why = useRef<HTMLInputElement>(null)
  const wasDenying = useRef(false)
  useLayoutEffect(() => {
    if (isDenying) why.current?.focus()
    else if (wasDenying.current) denying.current?.focus()
    wasDenying.current = isDenying
  }, [isDenying])
  const answer = (verdict: Verdict) =>
    send(() => Api.answer(question.id, verdict, verdict === "deny" ? reason : undefined))
  const tool = Visible.line(question.tool)
  const { always } = question.display
  const alwaysAnswer =
    always === undefined ? null : (
      <button onClick={() => answer("allow-always")} title="Stores a rule that also applies to other sessions">
        Always: <Shown text={always} />
      </button>
    )
  /** Whether the rule would push the other answers, and the command itself, out of sight. */
  const isLong = (always?.length ?? 0) > mostBeside
  return (
    <article class="question" aria-label={`Question about ${tool}`} aria-busy={isSent}>
      <header>
        <Mark state="asked" />
        <h3>
          Run <b>{tool}</b>?
        </h3>
        <span class="note">
          {question.access === "write" ? "it changes things" : "it only reads"} · place{" "}
          <button class="quiet" onClick={() => Pointing.goTo(question.seq)}>
            #{question.seq}
          </button>
        </span>
      </header>
      {isDenying ? (
        <form
          class="answers"
          onSubmit={(event) => {
            event.preventDefault()
            answer("deny")
          }}
        >
          <input
            ref={why}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
            placeholder="Why not? The model sees this."
            aria-label="Reason for the denial"
          />
          <button class="danger">Deny</button>
          <button type="button" onClick={() => deny(false)}>
            Back
          </button>
        </form>
      ) : (
        <div class="answers">
          <button class="primary" onClick={() => answer("allow-once")}>
            Allow once
          </button>
          <button
            onClick={() => answer("allow-for-session")}
            title={`Allows all further calls of ${tool} in this session`}
          >
            Allow for this session
          </button>
          <button ref={denying} onClick={() => deny(true)}>
            Deny…
          </button>
          {isLong ? null : alwaysAnswer}
        </div>
      )}
      <Failure text={failed} />
      <Input input={question.input} />
      {isLong && !isDenying ? <div class="answers">{alwaysAnswer}</div> : null}
    </article>
  )
}

const cardOf = (element: EventTarget | null): Element | null =>
  element instanceof Element && element.matches(":focus-visible") ? element.closest(".question") : null

/**
 * Keeps a visible focus when the card that has it goes. After an answer from here it is on the next card, or on the
 * message field. After one from elsewhere it is on no button, because somebody may be typing.
 */
const useFocus = (box: RefObject<HTMLElement | null>) => {
  const inside = useRef<Element | null>(null)
  const cards = useRef<ReadonlyArray<Element>>([])
  useLayoutEffect(() => {
    const [before, card] = [cards.current, inside.current]
    cards.current = [...(box.current?.querySelectorAll(".question") ?? [])]
    if (card === null || card.isConnected) return
    inside.current = null
    if (document.activeElement !== document.body) return
    if (card.getAttribute("aria-busy") !== "true") return box.current?.focus()
    const place = before.indexOf(card)
    const next = [...before.slice(place), ...before.slice(0, place).toReversed()].find((one) => one.isConnected)
    const button = next?.querySelector(".answers button") ?? document.getElementById("message")
    if (button instanceof HTMLElement) button.focus()
  })
  return (event: FocusEvent) => {
    inside.current = cardOf(event.target)
  }
}

const summaryOf = (questions: ReadonlyArray<Question>): string => {
  if (questions.length === 0) return ""
  const tools = questions.map(({ tool }) => Visible.line(tool)).join(", ")
  return `${questions.length === 1 ? "A question is" : `${questions.length} questions are`} waiting for you: ${tools}`
}

/**
 * Section and status stay when there is no question: a new one is announced, its buttons are guarded from the moment in
 * which they come, and there is a place for the focus.
 */
export const Questions = ({ questions }: { readonly questions: ReadonlyArray<Question> }) => {
  const box = useGrace<HTMLElement>()
  const focused = useFocus(box)
  const count = questions.length
  return (
    <>
      <p class="unseen" role="status">
        {summaryOf(questions)}
      </p>
      <section
        class="questions"
        aria-label={count === 0 ? undefined : "Questions waiting for you"}
        tabIndex={-1}
        ref={box}
        onFocusIn={focused}
      >
        {count > 1 ? <p class="note">{count} questions are waiting for you</p> : null}
        {questions.map((question) => {
          const { inquiry } = question.display
          return inquiry === undefined ? (
            <Card key={question.id} question={question} />
          ) : (
            <InquiryCard key={question.id} inquiry={inquiry} question={question} />
          )
        })}
      </section>
    </>
  )
}
