import os
import sys

# A person's random.py or torch.py, where they stand, is not the module of that name: the folder comes last, as for pages.
if not sys.flags.safe_path and sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    sys.path.append(sys.path.pop(0))

try:
    from gradcheck_rl.cli import leave
except KeyboardInterrupt:
    sys.exit(130)

leave()
