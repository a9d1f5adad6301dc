/** `sagalog stream`: the streams of a category, their events, and appends by hand. */
import { streamVersion } from '@sagalog/kernel'
import {
  type BrokerEventStore,
  EventStoreError,
  type EventStorePort,
  type PortEvent,
} from '@sagalog/event-store'
import { InvalidArgumentError } from 'commander'
import { escaped } from './body-text.js'
import { withEvents } from './event-data.js'
import { wholeNumber } from './numbers.js'
import { type Operated, operated } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

interface ListOptions extends Operated {
  readonly after: number
  readonly limit: number
}

interface ReadCommandOptions extends Operated {
  readonly from?: number
  readonly backward?: true
  readonly limit: number
}

interface AppendCommandOptions extends Operated {
  readonly type: string
  readonly schema: number
  readonly expected: 'any' | 'empty' | 'exists' | number
  readonly key?: string
  readonly queues: number
}

const COLUMNS: readonly Column[] = [
  { title: 'stream' },
  { title: 'version', align: 'right' },
  { title: 'state' },
]

const EVENT_COLUMNS: readonly Column[] = [
  { title: 'version', align: 'right' },
  { title: 'type' },
  { title: 'schema', align: 'right' },
  { title: 'stored at' },
  { title: 'position', align: 'right' },
  { title: 'data' },
]
const DATA_CHARS = 80

function readExpected(text: string): AppendCommandOptions['expected'] {
  if (text === 'any' || text === 'empty' || text === 'exists') return text
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is any, empty, exists, or a version.')
}

async function list(
  context: CommandContext,
  category: string,
  { json, limit, ...options }: ListOptions,
): Promise<ExitCode> {
  const { terminal } = context
  return await withEvents(context, options, async ({ port }) => {
    const request = { category, after: options.after, maxStreams: limit }
    const { streams, total } = await port.listStreams(request)
    if (json === true) {
      await terminal.print(`${JSON.stringify({ total, streams }, undefined, 2)}\n`)
      return EXIT.fine
    }
    const rows = streams.map(({ closed, stream, version }) => [
      escaped(stream),
      String(version),
      closed === undefined ? 'open' : `${closed.state}: ${escaped(closed.reason)}`,
    ])
    await terminal.print(tableText(COLUMNS, rows))
    await terminal.print(`${streams.length} of ${plural(total, 'stream')}\n`)
    return EXIT.fine
  })
}

/** An event for programs: its data as JSON when it is, in base64 when it is not. */
function shownEvent({ data, metadata, ...event }: PortEvent): object {
  const shown = Object.entries(metadata).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : { base64: value.toString('base64') },
  ])
  const rest = { ...event, metadata: Object.fromEntries(shown) as object }
  try {
    return { ...rest, data: JSON.parse(data.toString('utf8')) as unknown }
  } catch {
    return { ...rest, base64: data.toString('base64') }
  }
}

function eventRow({ data, position, schema, storedAtMs, type, version }: PortEvent): string[] {
  const text = escaped(data.toString('utf8'))
  return [
    String(version),
    escaped(type),
    String(schema),
    timeText(storedAtMs),
    JSON.stringify(position),
    text.length > DATA_CHARS ? `${text.slice(0, DATA_CHARS)}…` : text,
  ]
}

async function* pages(
  port: EventStorePort,
  where: { readonly category: string; readonly stream: string },
  { backward, from, limit }: ReadCommandOptions,
): AsyncIterable<readonly PortEvent[]> {
  let next = from ?? (backward === true ? Number.MAX_SAFE_INTEGER : 1)
  for (let left = limit; left > 0;) {
    const page = await port.readPage({
      ...where,
      fromVersion: streamVersion(next),
      maxEvents: Math.min(left, 1_000),
      ...(backward === true ? { isBackward: true } : {}),
    })
    const last = page.events.at(-1)
    if (last === undefined) return
    yield page.events
    left -= page.events.length
    next = last.version + (backward === true ? -1 : 1)
    if (next < 1) return
  }
}

async function read(
  context: CommandContext,
  category: string,
  stream: string,
  options: ReadCommandOptions,
): Promise<ExitCode> {
  const { terminal } = context
  return await withEvents(context, options, async ({ port }) => {
    const rows: string[][] = []
    for await (const events of pages(port, { category, stream }, options)) {
      if (options.json !== true) rows.push(...events.map(eventRow))
      else {
        const lines = events.map((event) => `${JSON.stringify(shownEvent(event))}\n`)
        if (!(await terminal.print(lines.join('')))) return EXIT.fine
      }
    }
    if (options.json !== true) await terminal.print(tableText(EVENT_COLUMNS, rows))
    return EXIT.fine
  })
}

/** Makes the category when it is not there; one that is keeps its queues. */
async function categoryIsThere(
  { port }: BrokerEventStore,
  category: string,
  queues: number,
): Promise<void> {
  const found = await port.queuesOf(category).catch((thrown: unknown) => {
    if (EventStoreError.is(thrown) && thrown.code === 'NO_CATEGORY') return queues
    throw thrown
  })
  await port.ensureCategory(category, { queues: found })
}

async function append(
  context: CommandContext,
  [category, stream, data]: readonly [string, string, string],
  options: AppendCommandOptions,
): Promise<ExitCode> {
  const { terminal } = context
  try {
    JSON.parse(data)
  } catch (cause) {
    terminal.tell(`sagalog: the data is not JSON: ${String(cause)}`)
    return EXIT.misused
  }
  return await withEvents(context, options, async (store) => {
    const { expected, key, queues, schema, type } = options
    await categoryIsThere(store, category, queues)
    const version = typeof expected === 'number' ? streamVersion(expected) : expected
    const events = [{ type, schema, data: Buffer.from(data) }]
    const change = { category, stream, expected: version, events }
    const scoped = key === undefined ? {} : { key: `${category}/${stream.length}:${stream}/${key}` }
    const result = await store.port.append(change, scoped)
    if (options.json === true) await terminal.print(`${JSON.stringify(result)}\n`)
    else if ('appended' in result)
      await terminal.print(`version ${result.appended}${result.isRepeat ? ', was there' : ''}\n`)
    if ('appended' in result) return EXIT.fine
    terminal.tell(`sagalog: the stream is at version ${result.conflict}, not ${expected}`)
    return EXIT.failed
  })
}

export const streamCommands: CommandGroup = (program, context) => {
  const stream = program.command('stream').description('list, read and append to streams')

  operated(withJson(stream.command('ls')))
    .description('list the streams of a category, the oldest first')
    .argument('<category>', 'the category')
    .option('--after <n>', 'pass over so many', wholeNumber(0), 0)
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 100)
    .action(context.act((category, options) => list(context, category, options)))

  operated(withJson(stream.command('read'), 'print a line of JSON for each event'))
    .description('print the events of a stream')
    .argument('<category>', 'the category')
    .argument('<stream>', 'the name of the stream')
    .option('--from <version>', 'begin at this version', wholeNumber(1))
    .option('--backward', 'the newest first')
    .option('--limit <n>', 'at most so many events', wholeNumber(1), 1_000)
    .action(context.act((category, name, options) => read(context, category, name, options)))

  operated(withJson(stream.command('append')))
    .description('append one event; its codec is not known here and not asked')
    .argument('<category>', 'the category; made when it is not there')
    .argument('<stream>', 'the name of the stream')
    .argument('<data>', 'the payload as JSON')
    .requiredOption('--type <type>', 'the type of the event')
    .option('--schema <n>', 'the version of its codec', wholeNumber(1), 1)
    .option('--expected <what>', 'any, empty, exists or a version', readExpected, 'any')
    .option('--key <key>', 'append once under this idempotency key')
    .option('--queues <n>', 'queues of a category that is made', wholeNumber(1, 1_024), 8)
    .action(
      context.act((category, name, data, options) =>
        append(context, [category, name, data], options),
      ),
    )
}
