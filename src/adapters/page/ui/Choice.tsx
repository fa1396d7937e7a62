/** The agent and the model of a session: chosen of what the server offers, or typed, as it may serve others too. */
import { useEffect, useState } from "preact/hooks"
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

/** No name of an agent or a model has a blank in it at its beginning. */
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
  /** What is had without a choice. */
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
          <option value={another}>another…</option>
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

export const AgentAndModel = ({
  agent,
  model,
  setAgent,
  setModel,
  when
}: {
  readonly agent: string
  readonly model: string
  /** From when on they count, after the labels. */
  readonly when: string
  readonly setAgent: (agent: string) => void
  readonly setModel: (model: string) => void
}) => {
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
        none={standard === undefined ? "the usual one" : `the usual one (${standard.name})`}
        options={agents.map(({ about, name }) => ({
          value: name,
          text: about === null ? name : `${name}: ${Visible.line(about)}`
        }))}
        placeholder="its name; empty: the host's choice"
        value={agent}
        set={setAgent}
      />
      <Choice
        label={`Model${when}`}
        none={usual === undefined ? "the agent's choice" : `the agent's choice (${Visible.line(Offers.nameOf(usual))})`}
        options={(chosen?.models ?? []).map((model) => ({ value: Offers.nameOf(model), text: modelText(model) }))}
        placeholder="provider/model; empty: the agent's choice"
        value={model}
        set={setModel}
      />
      {isPriced ? (
        <p class="note">Prices are for a million tokens, as the server's configuration states them.</p>
      ) : null}
    </>
  )
}
