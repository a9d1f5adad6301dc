/** A definition of async functions: all forms that the other builder has, with refusals thrown. */
import { Refuse, sagaAsync } from '@sagalog/saga'
import { sagaTest } from '@sagalog/saga/testing'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'

describe('async functions', () => {
  it('have all forms of the other builder', async () => {
    const done: string[] = []
    const step = (name: string) => ({
      out: t.string,
      run: async () => {
        done.push(name)
        return name
      },
      undo: async () => void done.push(`undo ${name}`),
    })
    const { run: note } = step('note')
    const part = sagaAsync('part', 1, t.number).then('note', { out: t.string, run: note }).end()
    const whole = sagaAsync('whole', 1, t.array(t.string))
      .lock('account', (c) => c.input.join())
      .all((beside) => ({ hotel: beside(step('hotel')), car: beside(step('car')) }))
      .when('wrap', (c) => c.input.length > 9, step('wrap'))
      .forEach('pick', (c) => c.input, {
        out: t.string,
        run: async (c) => `${c.item} ${c.index} ${c.hotel} ${c.wrap ?? 'plain'}`,
        undo: async () => {},
      })
      .signal('approve', {
        codec: t.boolean,
        accept: (c, isApproved) => {
          if (!isApproved) throw new Refuse('declined', c.pick)
          return isApproved
        },
      })
      .signalWhen('second', (c) => c.pick.length > 5, { codec: t.string })
      .pivot('pay', { run: async (c) => (c.second ?? '').length + c.pick.length })
      .signalWhen('third', (c) => c.pay > 5, { codec: t.string })
      .forEach('ship', (c) => c.pick, { out: t.string, run: async (c) => `shipped ${c.item}` })
      .all((beside) => ({ mail: beside({ out: t.string, run: note }) }))
      .when('late', () => false, { run: note })
      .signal('fetched', { codec: t.string })
      .child('part', part, () => 1)
      .end()
    const end = await sagaTest(whole, { part: { note: 'note' } })
      .input(['a', 'b'])
      .signal('approve', true)
      .signal('fetched', 'today')
      .expectOutcome('completed')
    expect(end.results).toMatchObject({
      pick: ['a 0 hotel plain', 'b 1 hotel plain'],
      approve: true,
      ship: ['shipped a 0 hotel plain', 'shipped b 1 hotel plain'],
      fetched: 'today',
      part: { note: 'note' },
    })
    const refused = await sagaTest(whole).input(['a']).signal('approve', false).run()
    expect(refused.state.reason).toMatchObject({
      refusal: { tag: 'declined', details: ['a 0 hotel plain'] },
    })
    expect(done.slice(-2)).toEqual(['undo car', 'undo hotel'])
  })
})
