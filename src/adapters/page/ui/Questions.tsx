/**
 * Questions that wait for an answer. The answers are above the input, so that a long input cannot push them out of
 * sight; the input is shown whole and as it is. A question that somebody else answers disappears by itself.
 */
import { useState } from "preact/hooks"
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

const Card = ({ question }: { readonly question: Question }) => {
  const { answer: send, failed, isSent } = useAnswer()
  const [isDenying, deny] = useState(false)
  const [reason, setReason] = useState("")
  const answer = (verdict: Verdict) => send(Api.answer(question.id, verdict, verdict === "deny" ? reason : undefined))
  const tool = Visible.line(question.tool)
  const { always } = question.display
  return (
    <article class="question" aria-label={`Question about ${tool}`}>
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
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
            placeholder="Why not? The model sees this."
            aria-label="Reason for the denial"
            ref={(element) => element?.focus()}
          />
          <button class="danger" disabled={isSent}>
            Deny
          </button>
          <button type="button" onClick={() => deny(false)}>
            Back
          </button>
        </form>
      ) : (
        <div class="answers">
          <button class="primary" disabled={isSent} onClick={() => answer("allow-once")}>
            Allow once
          </button>
          <button
            disabled={isSent}
            onClick={() => answer("allow-for-session")}
            title={`Allows all further calls of ${tool} in this session`}
          >
            Allow for this session
          </button>
          {always === undefined ? null : (
            <button
              disabled={isSent}
              onClick={() => answer("allow-always")}
              title="Stores a rule that also applies to other sessions"
            >
              Always: <Shown text={always} />
            </button>
          )}
          <button disabled={isSent} onClick={() => deny(true)}>
            Deny…
          </button>
        </div>
      )}
      <Failure text={failed} />
      <Input input={question.input} />
    </article>
  )
}

/** The section stays when it is empty: its buttons are guarded from the moment in which they come. */
export const Questions = ({ questions }: { readonly questions: ReadonlyArray<Question> }) => {
  const box = useGrace<HTMLElement>()
  const count = questions.length
  return (
    <section class="questions" aria-label="Questions waiting for you" aria-live="polite" ref={box}>
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
  )
}
