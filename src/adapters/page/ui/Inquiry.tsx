/**
 * An inquiry of a running call: fields to fill in, or a link for the person to open. It is in the words of whoever
 * asks, such as an MCP server, and the card says so.
 */
import * as Visible from "../model/Visible.js"
import type { Inquiry, InquiryField, Question, Values } from "../model/Wire.js"
import * as Api from "../net/Api.js"
import { useAnswer } from "./Answering.js"
import { Failure } from "./Failure.js"
import { Mark } from "./Mark.js"
import { Shown } from "./Shown.js"

const valueOf = ({ kind, name }: InquiryField, form: FormData): Values[string] | undefined => {
  const given = form.get(name)
  const text = typeof given === "string" ? given : ""
  switch (kind) {
    case "boolean":
      return given !== null
    case "choices":
      return form.getAll(name).filter((one) => typeof one === "string")
    case "number":
    case "integer":
      return text === "" ? undefined : Number(text)
    default:
      return text === "" ? undefined : text
  }
}

const valuesOf = ({ fields }: Inquiry, form: FormData): Values =>
  Object.fromEntries(
    fields.flatMap((field) => {
      const value = valueOf(field, form)
      return value === undefined ? [] : [[field.name, value]]
    })
  )

const isInitial = ({ initial }: InquiryField, value: string): boolean =>
  typeof initial === "object" ? initial.includes(value) : initial === value

const Control = ({ field }: { readonly field: InquiryField }) => {
  const { initial, isRequired, kind, least, most, name, options = [] } = field
  switch (kind) {
    case "boolean":
      return <input type="checkbox" name={name} defaultChecked={initial === true} />
    case "choice":
      return (
        <select name={name} required={isRequired}>
          {isRequired && initial !== undefined ? null : <option value="" />}
          {options.map(({ title, value }) => (
            <option key={value} value={value} selected={isInitial(field, value)}>
              {Visible.line(title)}
            </option>
          ))}
        </select>
      )
    case "choices":
      return (
        <>
          {options.map(({ title, value }) => (
            <label key={value}>
              <input type="checkbox" name={name} value={value} defaultChecked={isInitial(field, value)} />
              <Shown text={title} />
            </label>
          ))}
        </>
      )
    case "number":
    case "integer":
      return (
        <input
          type="number"
          name={name}
          required={isRequired}
          step={kind === "integer" ? 1 : "any"}
          min={least}
          max={most}
          defaultValue={initial === undefined ? "" : String(initial)}
        />
      )
    default:
      return (
        <input
          name={name}
          required={isRequired}
          minLength={least}
          maxLength={most}
          defaultValue={String(initial ?? "")}
        />
      )
  }
}

const Title = ({ field: { about, isRequired, title } }: { readonly field: InquiryField }) => (
  <>
    <Shown text={title} />
    {isRequired ? "" : " (optional)"}
    {about === undefined ? null : (
      <span class="note">
        {" "}
        <Shown text={about} />
      </span>
    )}
  </>
)

/** A field with several boxes has a label for each of them. */
const Labelled = ({ field }: { readonly field: InquiryField }) =>
  field.kind === "choices" ? (
    <fieldset>
      <legend>
        <Title field={field} />
      </legend>
      <Control field={field} />
    </fieldset>
  ) : (
    <label>
      <Title field={field} />
      <Control field={field} />
    </label>
  )

interface Asked {
  readonly inquiry: Inquiry
  readonly question: Question
}

export const InquiryCard = ({ inquiry, question }: Asked) => {
  const { answer, failed, isSent } = useAnswer()
  const from = Visible.line(inquiry.from)
  return (
    <article class="question" aria-label={`Question from ${from}`} aria-busy={isSent}>
      <header>
        <Mark state="asked" />
        <h3>
          <b>{from}</b> asks
        </h3>
        <span class="note">while {Visible.line(question.tool)} runs</span>
      </header>
      <p>
        <Shown text={inquiry.text} />
      </p>
      {inquiry.link === undefined ? null : (
        <p>
          <a href={inquiry.link} target="_blank" rel="noopener noreferrer">
            <Shown text={inquiry.link} />
          </a>
        </p>
      )}
      <form
        class="inquiry"
        onSubmit={(event) => {
          event.preventDefault()
          const values = valuesOf(inquiry, new FormData(event.currentTarget))
          answer(() => Api.fillIn(question.id, values))
        }}
      >
        {inquiry.fields.map((field) => (
          <Labelled key={field.name} field={field} />
        ))}
        <div class="answers">
          <button class="primary">{inquiry.fields.length === 0 ? "Yes" : "Answer"}</button>
          <button type="button" onClick={() => answer(() => Api.answer(question.id, "deny"))}>
            Decline
          </button>
        </div>
      </form>
      <Failure text={failed} />
    </article>
  )
}
