/**
 * What the process counts and measures, in the text format of Prometheus: Skein's Effect metrics, and the process's
 * own. Names and units follow Prometheus: times in seconds, counters that end with `_total`. Pure.
 */
import { type MetricPair, MetricState } from "effect"

/** A measurement of the process itself. */
export interface Reading {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge"
  readonly value: number
}

interface Sample {
  readonly suffix: string
  readonly labels: ReadonlyArray<readonly [string, string]>
  readonly value: number
}

interface Family {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly samples: ReadonlyArray<Sample>
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const numeral = (value: number): string => (value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : `${value}`)

/** Converts milliseconds to seconds, without rounding errors in the last digits. */
const seconds = (value: number): number => Number((value / 1000).toPrecision(12))

const familyOf = ({ metricKey, metricState }: MetricPair.MetricPair.Untyped): Family | null => {
  const help = metricKey.description._tag === "Some" ? metricKey.description.value : ""
  const isTime = metricKey.tags.some(({ key, value }) => key === "unit" && value === "ms")
  const scale = isTime ? seconds : (value: number) => value
  const name = metricKey.name.replaceAll(/[^a-zA-Z0-9_]/g, "_") + (isTime ? "_seconds" : "")
  const tags = metricKey.tags.filter(({ key }) => key !== "unit")
  const labels = tags.map(({ key, value }) => [key.replaceAll(/\W/g, "_"), value] as const)
  const one = (value: number) => [{ suffix: "", labels, value: scale(value) }]
  if (MetricState.isCounterState(metricState)) {
    return { name: `${name}_total`, help, type: "counter", samples: one(Number(metricState.count)) }
  }
  if (MetricState.isGaugeState(metricState)) {
    return { name, help, type: "gauge", samples: one(Number(metricState.value)) }
  }
  if (!MetricState.isHistogramState(metricState)) return null
  const { buckets, count, sum } = metricState
  const bounded = buckets.filter(([bound]) => bound !== Infinity)
  const bucket = (le: number, value: number) => ({
    suffix: "_bucket",
    labels: [...labels, ["le", numeral(scale(le))] as const],
    value
  })
  return {
    name,
    help,
    type: "histogram",
    samples: [
      ...bounded.map(([bound, below]) => bucket(bound, below)),
      bucket(Infinity, count),
      { suffix: "_sum", labels, value: scale(sum) },
      { suffix: "_count", labels, value: count }
    ]
  }
}

const sampleLine = (name: string, { labels, suffix, value }: Sample): string => {
  const pairs = labels.map(([key, text]) => `${key}="${escaped(text).replaceAll('"', '\\"')}"`)
  return `${name}${suffix}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numeral(value)}\n`
}

/** Returns the text of metrics and readings. A metric with tags is one family with all of them. */
export const render = (
  metrics: ReadonlyArray<MetricPair.MetricPair.Untyped>,
  readings: ReadonlyArray<Reading>
): string => {
  const families = new Map<string, Family>()
  const add = (family: Family | null) => {
    if (family === null) return
    const before = families.get(family.name)
    families.set(family.name, { ...family, samples: [...(before?.samples ?? []), ...family.samples] })
  }
  for (const { help, name, type, value } of readings) {
    add({ name, help, type, samples: [{ suffix: "", labels: [], value }] })
  }
  for (const metric of metrics) if (metric.metricKey.name.startsWith("skein_")) add(familyOf(metric))
  return [...families.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(
      ({ help, name, samples, type }) =>
        `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${samples.map((sample) => sampleLine(name, sample)).join("")}`
    )
    .join("")
}
