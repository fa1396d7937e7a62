/** The keyboard shortcuts. */
import { Dialog } from "./Dialog.js"

const keys = [
  ["?", "this list"],
  ["/", "search sessions"],
  ["n", "new session"],
  ["m", "write a message"],
  ["f", "filter the transcript"],
  ["s", "title, agent and model of the session"],
  ["j  k", "next, previous row"],
  ["t  T", "next, previous turn"],
  ["e  E", "next, previous error"],
  ["q  Q", "next, previous question"],
  ["o", "lanes in call order or in order of completion"],
  ["Esc", "leave a field, close a menu or dialog"]
] as const

export const Help = ({ close }: { readonly close: () => void }) => (
  <Dialog title="Keyboard shortcuts" close={close}>
    <dl class="keys">
      {keys.map(([key, does]) => (
        <div>
          <dt>
            {key.split("  ").map((one) => (
              <kbd>{one}</kbd>
            ))}
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
    <p class="buttons">
      <button onClick={close}>Close</button>
    </p>
  </Dialog>
)
