/** `sagalog message`: one message, wherever an operator knows it from. */
import type { MessagePlace } from '@sagalog/client'
import { messageJson, messageText } from './message-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'

interface ShowFlags extends Operated {
  readonly topic?: string
  readonly queue?: number
  readonly offset?: number
  readonly position?: number
  readonly bytes: number
}

/** Undefined when the arguments name no message, or more than one. */
function placeOf(
  id: string | undefined,
  { offset, position, queue, topic }: ShowFlags,
): MessagePlace | undefined {
  const isInQueue = queue !== undefined || offset !== undefined
  if (id !== undefined)
    return isInQueue || position !== undefined
      ? undefined
      : { id, ...(topic === undefined ? {} : { topic }) }
  if (position !== undefined) return isInQueue || topic !== undefined ? undefined : { position }
  if (topic === undefined || queue === undefined || offset === undefined) return undefined
  return { topic, queueId: queue, offset }
}

async function show(
  context: CommandContext,
  id: string | undefined,
  flags: ShowFlags,
): Promise<ExitCode> {
  const { terminal } = context
  const place = placeOf(id, flags)
  if (place === undefined) {
    terminal.tell('sagalog: which message? By its id, its place in a queue, or its position')
    terminal.tell(
      'usage: sagalog message show <id> [--topic <topic>], or with --topic, --queue and --offset, ' +
        'or with --position',
    )
    return EXIT.misused
  }
  const message = await withAdmin(context, flags, (admin) => admin.message(place))
  if (message !== undefined) {
    const isJson = flags.json === true
    const text = isJson ? undefined : messageText(message, flags.bytes)
    await terminal.print(text ?? `${JSON.stringify(messageJson(message), undefined, 2)}\n`)
    return EXIT.fine
  }
  terminal.tell('sagalog: no message is there')
  terminal.tell(
    id !== undefined && flags.topic === undefined
      ? 'An id that a producer gave is found in its topic only: add --topic.'
      : 'What waits for its time or its decision is in no queue yet: see sagalog tx ls.',
  )
  return EXIT.failed
}

export const messageCommands: CommandGroup = (program, context) => {
  const message = program.command('message').description('show one message')

  operated(withJson(message.command('show')))
    .description('show a message with its properties and its body')
    .argument('[id]', 'either id that a send reported; that of its producer needs --topic')
    .option('--topic <topic>', 'the topic that it is in')
    .option('--queue <n>', 'its queue', wholeNumber(0, 1_023))
    .option('--offset <n>', 'its offset in that queue', wholeNumber(0))
    .option('--position <n>', 'where it stands in the log', wholeNumber(0))
    .option('--bytes <n>', 'show so many bytes of the body', wholeNumber(0), 4_096)
    .action(context.act((id, flags) => show(context, id, flags)))
}
