import { describe, expect, it } from 'vitest'
import { KINDS, ONE } from './kinds.ts'
import { readLists } from './read-lists.ts'

describe('a list of another tool', () => {
  for (const [kind, { file, ...expected }] of Object.entries(KINDS)) {
    it(`is taken: ${kind}`, async () => {
      const { images, charts, files, groups, notTaken } = await readLists({ list: file }, { specs: ['list'] })
      expect({ images, charts, files, notTaken: notTaken.map((one) => one.replace(/…\//g, '')) }).toEqual({
        images: expected.images ?? [],
        charts: expected.charts ?? [],
        files: expected.files ?? [],
        notTaken: expected.notTaken ?? [],
      })
      if (expected.groups !== undefined) expect(groups).toEqual(expected.groups)
    })
  }

  it('may list an image once for each platform', async () => {
    const items = ['linux/amd64', 'linux/arm64', 'linux/amd64'].map(
      (platform) => `{ name: "${ONE}", platform: ${platform} }`,
    )
    const hauler = `apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec: { images: [ ${items.join(', ')} ] }\n`
    expect((await readLists({ list: hauler })).images).toEqual([`${ONE} [linux/amd64 linux/arm64]`])
  })

  it('is known by its content, whatever it is called', async () => {
    const compose =
      KINDS['a compose file with defaults, platforms, profiles, anchors and a build']?.file ?? ''
    const { images } = await readLists({ 'Chart.yaml': compose })
    expect(images[0]).toBe(ONE)
  })

  it('adds up with others, arguments and standard input', async () => {
    const { images, charts, groups } = await readLists(
      { 'a.txt': `${ONE}\n`, 'b.yaml': `services: { web: { image: "quay.io/demo/web:3" } }\n` },
      {
        specs: ['a.txt', 'b.yaml', '-'],
        stdin: () => Promise.resolve(new TextEncoder().encode('quay.io/demo/in:1\n')),
        images: ['nginx:1.27'],
        charts: ['grafana@8.15.0=https://charts.example', 'oci://registry.example/charts/shop:1.4.0'],
      },
    )
    expect(images).toEqual([ONE, 'quay.io/demo/web:3', 'quay.io/demo/in:1', 'docker.io/library/nginx:1.27'])
    expect(charts).toEqual([
      'grafana@8.15.0=https://charts.example',
      'shop@1.4.0=oci://registry.example/charts',
    ])
    expect(groups).toEqual(['a', 'b', 'list', 'command-line'])
  })
})
