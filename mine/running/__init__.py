"""From jobs to estimates. The words, by one example:

    mine.estimate_many([(x0, y0), (x1, y1), (x2, y2)])       # 1000 rows each, method "auto"

**Job** (`jobs`). One estimation with everything resolved: a source of rows, a method, a
training, a critic and a seed. The call makes three jobs.

**Stack** (`plan`). Jobs of equal shapes are trained as one batched program: every parameter has
a leading axis K, and cell k of it is one network. The three jobs have equal shapes, so they are
one stack. A job of 900 rows would be in another stack.

**Fold** (`mine.data.split`). "auto" cross-fits with 5 folds: 200 rows test a critic that was
trained on 600 of the other rows and stopped by the remaining 200. With 5 folds every row is
tested once. All folds are trained at the same time, so the stack has K = 3 jobs x 5 folds = 15
cells. A cell that has stopped is left out of further steps; when all have, the stack ends.

**Candidate** (`mine.method`). "auto" trains in several ways, of which two are shown here, and
keeps, for each job, the one with the highest validation value. A method such as "mine" has no
candidates: it trains in one way.

**Round** (`candidates`). "auto" also trains the candidate that it keeps on half of the training
rows, to see what more rows would teach. Say that two of the jobs keep the first candidate:

    round   candidate   training rows   cells      `Candidates` holds the rounds,
    1       first       600             15         a `StackRun` is one of them:
    2       second      600             15         rows are dealt, critics are trained,
    3       first       300             10         `EarlyStopping` keeps the best ones,
    4       second      300              5         and each is valued on its test rows

From 45 trained networks back to three estimates:

1. `pooled`: 5 folds become one estimate of each job in each round.
2. The candidate with the higher validation value stays.
3. `extrapolated`: its values with all and with half of the rows become one.

A method without folds, candidates and shares goes the same way with one round and one cell a
job. A method that trains nothing (`direct`), such as KSG, is a stack of one job.

**Application** (`applications`). A model that is trained beside a statistics network: a GAN, an
encoder. An `ApplicationJob` is one cell of it. Its stack has one round, an `ApplicationRun`, whose
cells are the arms and seeds of one comparison, and each cell gives measures beside an estimate.

`begin` makes a stack's training from its jobs, whichever kind they are.

`run` is the one entry. It yields an **event** (`events`) when a stack begins or has done a block
of steps, and when a job is done. On a CPU the stacks run side by side in processes (`workers`).
A stack that raises is halved until the job to blame is alone (`stack_events`). A long run brings
`RunOptions`: where states are kept, when to stop, how long to wait.
"""
