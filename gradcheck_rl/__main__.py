from gradcheck_rl.cli import main

raise SystemExit(main())
