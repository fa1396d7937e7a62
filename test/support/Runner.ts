/**
 * Runs the tests as vitest does, and lets the event loop in before each. Its workers report to the main process and fail,
 * with all files after, when a report was not answered within a minute; but they look at timers before they read answers.
 * Tests that are done at once would never read any, and a machine that stands still for a minute gets nobody's.
 *
 * So each test begins with a turn of the event loop, and a report that is not answered in time is taken for delivered:
 * the channel loses nothing while both processes live.
 */
import { setImmediate } from "node:timers/promises"
import type { RunnerTask, RunnerTaskEventPack, RunnerTaskResultPack } from "vitest"
import { VitestTestRunner } from "vitest/runners"

type Report = (packs: Array<RunnerTaskResultPack>, events: Array<RunnerTaskEventPack>) => Promise<void>

const isLate = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.includes('Timeout calling "onTaskUpdate"')

const patient =
  (report: Report): Report =>
  async (packs, events) => {
    try {
      await report(packs, events)
    } catch (thrown) {
      if (!isLate(thrown)) throw thrown
    }
  }

export default class Runner extends VitestTestRunner {
  #report: Report | undefined

  get onTaskUpdate(): Report | undefined {
    return this.#report
  }

  /** Vitest sets how reports are sent. */
  set onTaskUpdate(report: Report | undefined) {
    this.#report = report && patient(report)
  }

  override async onBeforeRunTask(test: RunnerTask): Promise<void> {
    await setImmediate()
    await super.onBeforeRunTask(test)
  }
}
