import { redactUrl } from '../../../lib/url.ts'
import { chartPartFault } from '../read.ts'
import { templateIn } from './image-text.ts'

interface ChartParts {
  readonly name: string | undefined
  readonly version: string | undefined
  readonly repository: string | undefined
}

/** What is wrong with a chart as a list names it; undefined when it can be fetched. */
export function chartFault({ name, version, repository }: ChartParts): string | undefined {
  if (name === undefined) return 'a chart has no name'
  const shown = `the chart ${name.slice(0, 100)}`
  const template = [name, version ?? '', repository ?? ''].map(templateIn).find((one) => one !== undefined)
  if (template !== undefined) return `${shown} is a template: ${template} has to be filled in first`
  if (repository === undefined) return `${shown} has no repository`
  const fault = chartPartFault('name', name) ?? chartPartFault('repository', repository)
  if (fault !== undefined) return `${shown} of ${redactUrl(repository)}: expected ${fault}`
  if (version === undefined) return `${shown} has no version: name an exact one`
  return chartPartFault('version', version) === undefined
    ? undefined
    : `${shown} has the version "${version.slice(0, 60)}": name an exact one, for example 1.17.2`
}
