/**
 * The message that is written for a session, with its files. It stays while other sessions are shown, and its uploads
 * and its sending go on. A message leaves the field when it is sent, and comes back there if that fails. All of it is
 * forgotten with the sign-in.
 */
import * as Api from "../net/Api.js"
import { Store } from "./Store.js"

/** A file of a message: `file` is null until it is uploaded. */
export interface Attached {
  readonly name: string
  readonly file: Api.SentFile | null
  readonly uploaded: Promise<Api.SentFile>
}

interface Message {
  readonly text: string
  readonly files: ReadonlyArray<Attached>
}

export interface State extends Message {
  /** The message on its way to the server. */
  readonly sending: Message | null
  /** Why the last message or file is not there. */
  readonly failed: string | null
}

/** Whether there is something to send, and nothing else on its way. */
export const maySend = ({ files, sending, text }: State): boolean =>
  sending === null && (text.trim() !== "" || files.length > 0)

export class Unsent {
  readonly state = new Store<State>({ text: "", files: [], sending: null, failed: null })
  /** The keys of messages that may have been stored though no answer came. */
  private readonly keys = new Map<string, string>()
  private uploads: Promise<unknown> = Promise.resolve()

  constructor(readonly sessionId: string) {}

  write(text: string): void {
    this.set({ text })
  }

  /** Uploads files, one after the other. */
  attach(files: ReadonlyArray<File>): void {
    if (files.length > 0) this.set({ failed: null })
    for (const file of files) {
      const uploaded = this.uploads.then(() => this.upload(file))
      this.uploads = uploaded.catch(() => {})
      this.set({ files: [...this.state.value.files, { name: file.name, file: null, uploaded }] })
      uploaded.then(
        (file) => this.settle(uploaded, (attached) => [{ ...attached, file }]),
        (error: unknown) => {
          this.settle(uploaded, () => [])
          this.fail(error)
        }
      )
    }
  }

  /** Takes an uploaded file out of the message, and deletes it. */
  detach(assetId: string): void {
    this.set({ files: this.state.value.files.filter(({ file }) => file?.assetId !== assetId) })
    Api.removeAsset(this.sessionId, assetId).catch((error: unknown) => this.fail(error))
  }

  /** Sends the message once its files are uploaded. */
  async send(): Promise<void> {
    if (!maySend(this.state.value)) return
    const { files, text } = this.state.value
    this.set({ text: "", files: [], sending: { text, files }, failed: null })
    try {
      const message = { text, files: await Promise.all(files.map(({ uploaded }) => uploaded)) }
      await Api.send(this.sessionId, { ...message, key: this.keyOf(message) })
      this.keys.clear()
      this.set({ sending: null })
    } catch (error) {
      this.takeBack()
      this.fail(error)
    }
  }

  /** The same message has the same key, so that it is stored once however often it is sent; another has another. */
  private keyOf(message: Omit<Api.NewMessage, "key">): string {
    const content = JSON.stringify(message)
    const key = this.keys.get(content) ?? Api.newKey()
    this.keys.set(content, key)
    return key
  }

  /** What was written in the meantime comes after it. */
  private takeBack(): void {
    this.state.update(({ files, sending, text, ...state }) => ({
      ...state,
      text: [sending?.text ?? "", text].filter((one) => one !== "").join("\n\n"),
      files: [...(sending?.files ?? []), ...files],
      sending: null
    }))
  }

  private async upload(file: File): Promise<Api.SentFile> {
    try {
      const { id: assetId, mediaType, name } = await Api.saveAsset(this.sessionId, file)
      return name === null ? { assetId, mediaType } : { assetId, mediaType, name }
    } catch (error) {
      throw error instanceof Api.Failed
        ? new Api.Failed(error.status, error.tag, `${file.name}: ${error.message}`)
        : error
    }
  }

  private settle(uploaded: Attached["uploaded"], as: (attached: Attached) => ReadonlyArray<Attached>): void {
    const settled = (files: ReadonlyArray<Attached>) =>
      files.flatMap((attached) => (attached.uploaded === uploaded ? as(attached) : [attached]))
    const { files, sending } = this.state.value
    this.set({
      files: settled(files),
      sending: sending === null ? null : { ...sending, files: settled(sending.files) }
    })
  }

  private fail(error: unknown): void {
    if (!(error instanceof Api.Failed)) throw error
    this.set({ failed: error.message })
  }

  private set(changes: Partial<State>): void {
    this.state.update((state) => ({ ...state, ...changes }))
  }
}

const all = new Map<string, Unsent>()

/** The unsent message of a session, the same one for all that show or change it. */
export const of = (sessionId: string): Unsent => {
  const known = all.get(sessionId)
  if (known !== undefined) return known
  const made = new Unsent(sessionId)
  all.set(sessionId, made)
  return made
}

export const forget = (): void => all.clear()
