/**
 * `sagalog saga`: the sagas that run, one of them with all that happened to it, and what a person
 * decides about one that waits. Reaches a running broker by its address, or opens a directory that
 * nobody uses.
 */
import { createEventStore } from '@sagalog/event-store'
import {
  type AsOf,
  mismatchesOf,
  mismatchText,
  sagaDesk,
  type SagaDesk,
  sagaHtml,
  sagaMermaid,
  type SagaSummary,
  timelineOf,
} from '@sagalog/saga'
import { InvalidArgumentError, Option } from 'commander'
import { definitionsIn } from './definitions-node.js'
import { type Operated, operated, withConnection } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { tableText } from './table.js'
import { timeOf } from './time-text.js'
import { agoText, plural } from './words.js'

const withDesk = <A>(
  context: CommandContext,
  name: string,
  { where, use }: { where: Operated; use: (desk: SagaDesk) => Promise<A> },
): Promise<A> =>
  withConnection(context, where, async (connection) => {
    const desk = sagaDesk(connection, name)
    return use(desk).finally(() => desk.close())
  })

function rowOf({ sagaId, state, version, reason, ...saga }: SagaSummary, nowMs: number) {
  const [started, changed] = [saga.startedAtMs, saga.changedAtMs].map((ms) => agoText(nowMs - ms))
  return [sagaId, state, String(version), started ?? '', changed ?? '', reason ?? '']
}

const STATES: readonly SagaSummary['state'][] = [
  'running',
  'undoing',
  'parked',
  'completed',
  'compensated',
]

interface ListFlags extends Operated {
  readonly state?: string
  readonly limit: number
}

async function sagaLs(context: CommandContext, name: string, flags: ListFlags): Promise<ExitCode> {
  const { state, limit, json } = flags
  const all = await withDesk(context, name, { where: flags, use: (desk) => desk.list() })
  const wanted = all.filter((saga) => state === undefined || saga.state === state).slice(-limit)
  if (json === true) {
    await context.terminal.print(`${JSON.stringify(wanted, undefined, 2)}\n`)
    return EXIT.fine
  }
  const titles = ['saga', 'state', 'version', 'started', 'changed', 'waits because']
  await context.terminal.print(
    tableText(
      titles.map((title) => ({ title })),
      wanted.map((saga) => rowOf(saga, context.clock.wallMs())),
    ),
  )
  const parked = all.filter((saga) => saga.state === 'parked').length
  const waiting = `${parked} ${parked === 1 ? 'waits' : 'wait'} for a person`
  await context.terminal.print(`${plural(all.length, 'saga')}, ${waiting}\n`)
  return EXIT.fine
}

interface ShowFlags extends Operated {
  readonly module?: string
  readonly as?: string
  readonly at?: AsOf
}

async function sagaShow(
  context: CommandContext,
  name: string,
  { id, flags }: { id: string; flags: ShowFlags },
): Promise<ExitCode> {
  const { terminal } = context
  const view = await withDesk(context, name, {
    where: flags,
    use: (desk) => desk.show(id, flags.at),
  })
  if (flags.json === true) {
    const { state, history } = view
    await terminal.print(`${JSON.stringify({ id, state, history }, undefined, 2)}\n`)
    return EXIT.fine
  }
  if (flags.module !== undefined) {
    const all = await definitionsIn(flags.module)
    const definition = all.find((saga) => saga.name === name)
    if (definition === undefined) {
      terminal.tell(`sagalog: ${flags.module} exports no saga named ${name}`)
      return EXIT.failed
    }
    const draw =
      flags.as === 'mermaid' ? sagaMermaid(definition, view.state) : sagaHtml(definition, view)
    await terminal.print(draw)
    return EXIT.fine
  }
  const titles = [
    { title: '#', align: 'right' as const },
    { title: 'after', align: 'right' as const },
    { title: 'position', align: 'right' as const },
    { title: 'what' },
    { title: 'took', align: 'right' as const },
    { title: 'why' },
  ]
  const rows = timelineOf(view.history).map((line) => [
    String(line.version),
    `${(line.sinceStartMs / 1_000).toFixed(3)} s`,
    JSON.stringify(line.position),
    line.what,
    line.tookMs === undefined ? '' : `${line.tookMs} ms`,
    line.cause,
  ])
  await terminal.print(tableText(titles, rows))
  return EXIT.fine
}

async function sagaCheck(
  context: CommandContext,
  path: string,
  where: Operated,
): Promise<ExitCode> {
  const { terminal } = context
  const all = await definitionsIn(path)
  if (all.length === 0) {
    terminal.tell(`sagalog: ${path} exports no saga`)
    return EXIT.failed
  }
  const names = [...new Set(all.map((saga) => saga.name))]
  const mismatches = await withConnection(context, where, async (connection) => {
    const store = createEventStore(connection)
    const found = []
    for (const name of names) {
      const versions = all.filter((saga) => saga.name === name)
      const newestFirst = versions.toSorted((one, other) => other.version - one.version)
      found.push(...(await mismatchesOf(connection, store, newestFirst)))
    }
    return found
  })
  for (const mismatch of mismatches) await terminal.print(`${mismatchText(mismatch)}\n`)
  if (mismatches.length > 0) return EXIT.failed
  await terminal.print(`${plural(names.length, 'definition')} fit all sagas that run\n`)
  return EXIT.fine
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError('it is JSON, a text in quotation marks.')
  }
}

/** A position is a value of the store's own, as `stream read` and this command print it. */
function readAsOf(text: string): AsOf {
  if (/^\d+$/.test(text)) return readJson(text) as AsOf
  const timeMs = timeOf(text)
  if (timeMs !== undefined) return { timeMs }
  throw new InvalidArgumentError('it is a position, or a time like 2026-01-31T12:00:00Z.')
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1)
    throw new InvalidArgumentError('it is a number from 1.')
  return limit
}

interface OperatorFlags extends Operated {
  readonly step?: string
  readonly by: string
  readonly result?: unknown
}

const verbs: readonly (readonly [
  name: string,
  about: string,
  tell: (desk: SagaDesk, id: string, flags: OperatorFlags) => Promise<void>,
])[] = [
  ['retry', 'let a waiting saga try again', (desk, id, { by }) => desk.retry(id, by)],
  [
    'skip',
    'take the step that it waits at as over',
    (desk, id, { by, step }) => desk.skip(id, by, step),
  ],
  [
    'resolve',
    'say what the step that it waits at came to',
    (desk, id, { by, step, result = null }) => desk.resolve(id, by, { step, result }),
  ],
  [
    'cancel',
    'compensate it, unless its pivot has begun',
    (desk, id, { by }) => desk.cancel(id, by),
  ],
]

export const sagaCommands: CommandGroup = (program, context) => {
  const saga = program.command('saga').description('look at sagas, help those that wait')

  withJson(operated(saga.command('ls')), 'print an array of sagas as JSON')
    .description('list the sagas of a definition')
    .argument('<name>', 'the name of the definition')
    .addOption(new Option('--state <state>', 'only those').choices(STATES))
    .option('--limit <n>', 'the last so many', readLimit, 100)
    .action(context.act((name, flags) => sagaLs(context, name, flags)))

  withJson(operated(saga.command('show')), 'print the state and the events as JSON')
    .description('show one saga with all that happened to it')
    .argument('<name>', 'the name of the definition')
    .argument('<id>', 'the id of the saga')
    .option('--at <position>', 'as it was at this position or time', readAsOf)
    .option('--module <path>', 'a module that exports the definition: draw it')
    .addOption(
      new Option('--as <form>', 'how it is drawn, with --module')
        .choices(['html', 'mermaid'])
        .default('html'),
    )
    .action(context.act((name, id, flags) => sagaShow(context, name, { id, flags })))

  for (const [verb, about, tell] of verbs) {
    const command = withJson(operated(saga.command(verb)))
      .description(about)
      .argument('<name>', 'the name of the definition')
      .argument('<id>', 'the id of the saga')
      .option('--by <person>', 'who says so, for the history', 'an operator')
    if (verb === 'skip' || verb === 'resolve')
      command.option('--step <step>', 'when it is at several steps')
    if (verb === 'resolve') command.option('--result <json>', 'the result', readJson)
    command.action(
      context.act(async (name: string, id: string, flags: OperatorFlags) => {
        const use = (desk: SagaDesk): Promise<void> => tell(desk, id, flags)
        await withDesk(context, name, { where: flags, use })
        const text = `told ${name} ${id}: ${verb}`
        const told = flags.json === true ? JSON.stringify({ saga: name, id, told: verb }) : text
        await context.terminal.print(`${told}\n`)
        return EXIT.fine
      }),
    )
  }

  operated(saga.command('check'))
    .description('hold definitions against the sagas that run, as a start of the program would')
    .argument('<module>', 'a module that exports definitions')
    .action(context.act((path, flags) => sagaCheck(context, path, flags)))
}
