"""Writes test/support/ecr/model.json: what AWS's own model of the ECR API asks of the input of the double's operations.

Run it with a Python that has botocore: python3 test/ecr-double/model.py
"""
import gzip
import json
import os
import re

import botocore

here = os.path.dirname(os.path.abspath(__file__))
support = os.path.join(here, '..', 'support', 'ecr')
folder = os.path.join(os.path.dirname(botocore.__file__), 'data', 'ecr', '2015-09-21')
packed = os.path.join(folder, 'service-2.json.gz')
with gzip.open(packed) if os.path.exists(packed) else open(os.path.join(folder, 'service-2.json'), 'rb') as file:
    model = json.load(file)
with open(os.path.join(support, 'options.ts')) as file:
    known = re.findall(r"^  \| '(\w+)'$", file.read(), re.M)

shapes = {}


def take(name):
    if name in shapes:
        return
    shape = model['shapes'][name]
    kept = {key: shape[key] for key in ('type', 'min', 'max', 'pattern', 'enum', 'required') if shape.get(key)}
    shapes[name] = kept
    if shape['type'] == 'structure':
        kept['members'] = {member: target['shape'] for member, target in shape['members'].items()}
        for target in kept['members'].values():
            take(target)
    if shape['type'] == 'list':
        kept['member'] = shape['member']['shape']
        take(kept['member'])


operations = {}
for name in known:
    operation = model['operations'].get(name)
    if operation is not None:
        operations[name] = operation['input']['shape']
        take(operations[name])
result = {'botocore': botocore.__version__, 'operations': operations, 'shapes': dict(sorted(shapes.items()))}
with open(os.path.join(support, 'model.json'), 'w') as file:
    json.dump(result, file, indent=2)
    file.write('\n')
print(f'{len(operations)} operations, {len(shapes)} shapes')
