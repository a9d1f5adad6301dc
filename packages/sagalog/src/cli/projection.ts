/**
 * `sagalog projection` and `sagalog verify`: the projections of a module of the user's, whose rows
 * are streams of the store, and the promises of the data itself. A module exports
 * `projections`, an array of what `projection(..)` gave.
 */
import {
  checkpointsOf,
  isInline,
  releaseStream,
  runProjection,
  type RowsDifference,
  streamRows,
  verifyProjection,
} from '@sagalog/event-store'
import { withEvents } from './event-data.js'
import { type Operated, operated } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { projectionsOf } from './projection-module-node.js'
import { type Column, tableText } from './table.js'
import { verifyEvents } from './verify-events.js'

interface Options extends Operated {
  readonly module?: string
  /** Leaves out the streams of events that can't be applied, instead of stopping before them. */
  readonly park?: true
}

const COLUMNS: readonly Column[] = [
  { title: 'projection' },
  { title: 'version', align: 'right' },
  { title: 'active', align: 'right' },
  { title: 'kept by' },
  { title: 'rows', align: 'right' },
  { title: 'parked', align: 'right' },
]

const isSame = ({ counts }: RowsDifference): boolean =>
  counts.changed + counts.added + counts.removed === 0

const differenceText = ({ added, changed, counts, removed, same }: RowsDifference): string => {
  const part = (what: string, count: number, keys: readonly string[]): string =>
    count === 0 ? '' : `, ${count} ${what} (${keys.slice(0, 3).join(', ')})`
  return (
    `${same} as they must be` +
    part('different', counts.changed, changed) +
    part('missing', counts.added, added) +
    part('too many', counts.removed, removed)
  )
}

async function list(context: CommandContext, options: Options): Promise<ExitCode> {
  const projections = await projectionsOf(options.module)
  return await withEvents(context, options, async ({ port }) => {
    const rows = streamRows(port)
    const found = []
    for (const projection of projections) {
      const { name, version } = projection
      const space = rows.space(name, version)
      const checkpoints = await checkpointsOf(port, projection, space)
      let count = 0
      for await (const _row of space.all()) count += 1
      const parked = Object.assign(
        {},
        ...checkpoints.map(({ checkpoint }) => checkpoint.parked),
      ) as {
        readonly [stream: string]: string
      }
      const active = (await rows.active(name)) ?? 0
      const isParted = checkpoints.some(({ part }) => part !== undefined)
      const isByAppends = await isInline(rows, projection)
      const keptBy = isByAppends ? 'appends' : isParted ? 'parts' : 'runner'
      found.push({ name, version, active, keptBy, rows: count, parked })
    }
    if (options.json === true) {
      await context.terminal.print(`${JSON.stringify(found, undefined, 2)}\n`)
      return EXIT.fine
    }
    const lines = found.map(({ active, keptBy, name, parked, rows: count, version }) =>
      [name, version, active, keptBy, count, Object.keys(parked).length].map(String),
    )
    await context.terminal.print(tableText(COLUMNS, lines))
    for (const { name, parked } of found)
      for (const [stream, why] of Object.entries(parked))
        await context.terminal.print(`${name} leaves out ${stream} from ${why}\n`)
    return EXIT.fine
  })
}

/** Goes through all events that are there, from the checkpoint on, and makes the version active. */
async function rebuild(context: CommandContext, options: Options): Promise<ExitCode> {
  const { clock, terminal } = context
  const projections = await projectionsOf(options.module)
  return await withEvents(context, options, async (store) => {
    for (const projection of projections) {
      const { name, version } = projection
      const problems: unknown[] = []
      const rows = streamRows(store.port)
      if (await isInline(rows, projection)) {
        if (options.json !== true)
          await terminal.print(`${name} version ${version} is kept by those who append\n`)
        continue
      }
      const onProblem = (_what: string, cause: unknown): void => void problems.push(cause)
      const onPoison = options.park === true ? 'park-key' : 'stop'
      const how = { rows, clock, onProblem, onPoison, waitMs: 100 } as const
      const projector = runProjection(store, projection, how)
      try {
        await projector.whenCaughtUp()
      } catch {
        terminal.tell(`sagalog: ${name} stopped: ${String(problems.at(-1))}`)
        return EXIT.failed
      } finally {
        await projector.close()
      }
      if (options.json !== true) await terminal.print(`${name} version ${version} is built\n`)
    }
    if (options.json === true) {
      const built = projections.map(({ name, version }) => ({ name, version }))
      await terminal.print(`${JSON.stringify({ built })}\n`)
    }
    return EXIT.fine
  })
}

/** Lets one parked stream back in, with all its events that were left out. */
async function release(
  context: CommandContext,
  options: Options,
  { name, stream }: { readonly name: string; readonly stream: string },
): Promise<ExitCode> {
  const { terminal } = context
  const projections = await projectionsOf(options.module)
  const projection = projections.find((each) => each.name === name)
  if (projection === undefined) {
    terminal.tell(`sagalog: the module has no projection ${name}`)
    return EXIT.failed
  }
  return await withEvents(context, options, async (store) => {
    const rows = streamRows(store.port)
    const result = await releaseStream(store, projection, { rows, stream })
    if (options.json === true) await terminal.print(`${JSON.stringify(result)}\n`)
    if ('refused' in result) {
      terminal.tell(`sagalog: not released: ${result.reason}`)
      return EXIT.failed
    }
    if (options.json !== true)
      await terminal.print(`${name} holds ${stream} again, ${result.released} events\n`)
    return EXIT.fine
  })
}

async function verify(
  context: CommandContext,
  options: Options,
  what: 'projections' | 'everything',
): Promise<ExitCode> {
  const { terminal } = context
  const projections = await projectionsOf(options.module)
  return await withEvents(context, options, async (store) => {
    const events = what === 'everything' ? await verifyEvents(store.port) : undefined
    const checked = []
    for (const projection of projections) {
      const difference = await verifyProjection(store, projection, streamRows(store.port))
      checked.push({ name: projection.name, version: projection.version, difference })
    }
    const isSound =
      (events === undefined || events.problems.length === 0) &&
      checked.every(({ difference }) => isSame(difference))
    if (options.json === true)
      await terminal.print(
        `${JSON.stringify({ isSound, events, projections: checked }, null, 2)}\n`,
      )
    else {
      if (events !== undefined) {
        for (const problem of events.problems) await terminal.print(`${problem}\n`)
        const { categories, events: count, streams } = events
        await terminal.print(`${count} events in ${streams} streams of ${categories} categories\n`)
      }
      for (const { difference, name, version } of checked)
        await terminal.print(`${name} version ${version}: ${differenceText(difference)}\n`)
      await terminal.print(isSound ? 'sound\n' : 'NOT SOUND\n')
    }
    return isSound ? EXIT.fine : EXIT.failed
  })
}

export const projectionCommands: CommandGroup = (program, context) => {
  const projection = program.command('projection').description('look at projections, build them')
  const MODULE = ['--module <file>', 'a JavaScript module that exports `projections`'] as const

  operated(withJson(projection.command('ls')))
    .description('list the projections of a module: versions, rows, parked streams')
    .requiredOption(...MODULE)
    .action(context.act((options) => list(context, options)))

  operated(withJson(projection.command('rebuild')))
    .description('bring the projections of a module up to the end, new versions from the start')
    .requiredOption(...MODULE)
    .option('--park', 'leave out the streams of events that can not be applied')
    .action(context.act((options) => rebuild(context, options)))

  operated(withJson(projection.command('release')))
    .description('let a parked stream back in, with the events that were left out')
    .argument('<projection>', 'its name')
    .argument('<stream>', 'category/stream, as `ls` names it')
    .requiredOption(...MODULE)
    .action(
      context.act((name: string, stream: string, options: Options) =>
        release(context, options, { name, stream }),
      ),
    )

  operated(withJson(projection.command('verify')))
    .description('compare the rows with a replay of all events')
    .requiredOption(...MODULE)
    .action(context.act((options) => verify(context, options, 'projections')))

  operated(withJson(program.command('verify')))
    .description('check that positions ascend, streams are dense, projections equal a replay')
    .option(...MODULE)
    .action(context.act((options) => verify(context, options, 'everything')))
}
