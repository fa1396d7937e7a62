/**
 * A session's agent, model and effort: chosen from the server's offers, or typed, because it may serve others too.
 */
import { useEffect, useState } from "preact/hooks"
import { efforts } from "../../../domain/Effort.js"
import * as Offers from "../model/Offers.js"
import * as Visible from "../model/Visible.js"
import type { OfferedModel } from "../model/Wire.js"
import * as Words from "../model/Words.js"
import { load, offers } from "../state/Offers.js"
import { useStore } from "../state/Store.js"

interface Option {
  readonly value: string
  readonly text: string
}

/** No name of an agent or a model begins with a space. */
const another = " another"

const Choice = ({
  label,
  none,
  options,
  placeholder,
  set,
  value
}: {
  readonly label: string
  /** The label for no choice. */
  readonly none: string
  readonly options: ReadonlyArray<Option>
  readonly placeholder: string
  readonly value: string
  readonly set: (value: string) => void
}) => {
  const [isTyped, type] = useState(false)
  const isKnown = value === "" || options.some((option) => option.value === value)
  const isShown = isTyped || options.length === 0 || !isKnown
  const input = (
    <input
      value={value}
      onInput={(event) => set(event.currentTarget.value)}
      placeholder={placeholder}
      aria-label={label}
      spellcheck={false}
      autocomplete="off"
    />
  )
  if (options.length === 0) {
    return (
      <label>
        {label}
        {input}
      </label>
    )
  }
  return (
    <>
      <label>
        {label}
        <select
          value={isShown ? another : value}
          onChange={({ currentTarget }) => {
            type(currentTarget.value === another)
            set(currentTarget.value === another ? "" : currentTarget.value)
          }}
        >
          <option value="">{none}</option>
          {options.map(({ text, value }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
          <option value={another}>Other…</option>
        </select>
      </label>
      {isShown ? <div class="typed">{input}</div> : null}
    </>
  )
}

const modelText = (model: OfferedModel): string => {
  const { prices } = model
  const name = Visible.line(Offers.nameOf(model))
  return prices === null ? name : `${name} (${Words.price(prices.input)} in, ${Words.price(prices.output)} out)`
}

const Effort = ({
  isOpen,
  label,
  set,
  value
}: {
  /** Whether a model is known that the effort can be set for. */
  readonly isOpen: boolean
  readonly label: string
  readonly value: Offers.Wanted["effort"]
  readonly set: (value: Offers.Wanted["effort"]) => void
}) => (
  <label>
    {label}
    <select
      value={value}
      disabled={!isOpen}
      onChange={({ currentTarget }) => set(efforts.find((effort) => effort === currentTarget.value) ?? "")}
    >
      <option value="">The model's default</option>
      {efforts.map((effort) => (
        <option key={effort} value={effort}>
          {effort}
        </option>
      ))}
    </select>
  </label>
)

export const AgentAndModel = ({
  set,
  wanted,
  when
}: {
  readonly wanted: Offers.Wanted
  /** Follows the labels and says when the choices take effect. */
  readonly when: string
  /** Is given what was changed. */
  readonly set: (changed: Partial<Offers.Wanted>) => void
}) => {
  const { agent, effort, model } = wanted
  const agents = useStore(offers, (agents) => agents)
  useEffect(load, [])
  const standard = Offers.agentNamed(agents, "")
  const chosen = Offers.agentNamed(agents, agent)
  const usual = Offers.standardOf(chosen)
  const isPriced = chosen?.models.some(({ prices }) => prices !== null) === true
  return (
    <>
      <Choice
        label={`Agent${when}`}
        none={standard === undefined ? "Default" : `Default (${standard.name})`}
        options={agents.map(({ about, name }) => ({
          value: name,
          text: about === null ? name : `${name}: ${Visible.line(about)}`
        }))}
        placeholder="name; empty for the default"
        value={agent}
        set={(agent) => set({ agent })}
      />
      <Choice
        label={`Model${when}`}
        none={
          usual === undefined ? "The agent's default" : `The agent's default (${Visible.line(Offers.nameOf(usual))})`
        }
        options={(chosen?.models ?? []).map((model) => ({ value: Offers.nameOf(model), text: modelText(model) }))}
        placeholder="provider/model; empty for the agent's default"
        value={model}
        set={(model) => set({ model })}
      />
      <Effort
        label={`Effort${when}`}
        isOpen={model !== "" || usual !== undefined}
        value={effort}
        set={(effort) => set({ effort })}
      />
      {isPriced ? <p class="note">Prices are per million tokens, from the server's configuration.</p> : null}
    </>
  )
}
