"""How instructions are worded: templates of each family for training, and those kept for test (see `wording`)."""

PUT_TRAIN = (
    "[put|place|set|move] {a} {rel} {b}",
    "[put|place|bring|drop] {a} {rel} {b}",
    "[carry|transfer|shift|get|leave|deposit] {a} {rel} {b}",
    "[take|grab|get|pick up|grasp|collect] {a} and [put|place|drop|set|leave|move] it {rel} {b}",
    "[take|grab|pick up|get|hold] {a}, then [put|place|set] it {rel} {b}",
    "[move|bring|carry] {a} and [leave|put|set] it {rel} {b}",
    "!I [want|would like|need|wish] {a} {rel} {b}",
    "!I [want|would like|need] {a} to be {rel} {b}",
    "!I [want|would like|need] you to [put|place|move|set] {a} {rel} {b}",
    "!{a} [should|must|has to|needs to|ought to] [be|go|stand|end up|come] {rel} {b}",
    "!{a} {rel} {b}",
    "!{rel} {b} [should be|should go|I want|we need|comes] {a}",
    "make {a} [go|end up|stand] {rel} {b}",
    "see that {a} [gets|comes|ends up] {rel} {b}",
    "[see to it|take care] that {a} is {rel} {b}",
    "let {a} [be|go|stand] {rel} {b}",
    "have {a} [put|placed|moved] {rel} {b}",
    "[find|look for] {a} and [put|place] it {rel} {b}",
    "!the place for {a} is {rel} {b}",
    "!{a} is to [be|go] {rel} {b}",
    "!we need {a} {rel} {b}",
)

PUT_TEST = (
    "!{rel} {b}, [put|place] {a}",
    "!{a} [goes|belongs] {rel} {b}",
    "[stick|position|lay] {a} {rel} {b}",
    "make sure {a} is {rel} {b}",
    "[fetch|lift] {a} and then put it {rel} {b}",
    "!what I want is {a} {rel} {b}",
)

THROW_TRAIN = (
    "[throw|put|drop|place|dump] {a} in {b}",
    "[throw|toss|put|fling|move] {a} into {b}",
    "[throw|toss|put] {a} away",
    "[throw away|throw out|discard|trash|remove|scrap|bin] {a}",
    "get rid of {a}",
    "!{a} [should|must|has to|can] go [in|into|to] {b}",
    "take {a} to {b}",
    "!{a} is [rubbish|waste|trash]",
    "!{a} is [rubbish|waste], throw it away",
    "!I want {a} gone",
    "!I [want|would like] to get rid of {a}",
    "!{a} can be thrown [away|out]",
    "!we do not need {a}, discard it",
    "[pick up|take|grab] {a} and [throw|drop|put] it [in|into] {b}",
    "send {a} to {b}",
    "!{b} is the place for {a}",
    "!{b} is where {a} should go",
    "use {b} for {a}",
)

THROW_TEST = (
    "dispose of {a}",
    "!{a} belongs in {b}",
    "!into {b} with {a}",
    "chuck {a} into {b}",
    "!I don't need {a} any more, throw it away",
)

UNLOAD_TRAIN = (
    "[put|place|set|lay|drop] {a} [on|onto|on top of] {b}",
    "[put|set|lay|place] {a} [down|back] [on|onto] {b}",
    "[take|get] {a} and put it on {b}",
    "[take|grab|pick up] {a} and [place|set] it [on|onto|down on|back on] {b}",
    "!{a} should [be|go|stand|lie] [on|back on] {b}",
    "!I [want|would like|need] {a} [on|back on] {b}",
    "[take|get] {a} out and put it on {b}",
    "unload {a} onto {b}",
    "[bring|move] {a} back [onto|on] {b}",
    "[bring|move|carry] {a} to {b}",
    "!{b} is where I want {a}",
    "!{a} must be on {b}",
    "have {a} stand on {b}",
    "let {a} stand on {b}",
)

UNLOAD_TEST = ("!on {b}, put {a}", "leave {a} on {b}", "!{a} belongs on {b}", "return {a} to {b}")

CLEAR_TRAIN = (
    "clear [the table|the table top|off the table]",
    "clear the table [into|to] the [bin|trash|dustbin]",
    "[put|throw|drop|toss|dump] [everything|all things|all the objects|all of it] [in|into] the [bin|trash|trash can]",
    "throw [everything|all of it|all things|all the objects] [away|out]",
    "[clean up|clean|clear up|tidy up] the table",
    "empty the table",
    "empty the table into the [bin|trash]",
    "!everything [should|must|has to|can] go [in|into] the [bin|trash|dustbin]",
    "get rid of [everything|all things|all the objects]",
    "[remove|discard|trash] [everything|all objects|all the things]",
    "remove [everything|all objects] from the table",
    "take [everything|all things|all the objects] [off the table|to the bin|away]",
    "!I want [the table empty|an empty table|everything gone|the table cleared]",
    "!the table [must|has to|should] be [empty|clear]",
    "make the table [empty|clear]",
    "leave nothing on the table",
    "!nothing should [remain|stay|be left] on the table",
    "!all of it is rubbish",
)

CLEAR_TEST = (
    "tidy the table, everything into the bin",
    "!into the bin with everything",
    "clear everything off the table",
    "get all the things into the bin",
    "!the table should be cleared",
)

PICK_TRAIN = (
    "pick up {a}",
    "[take|grab|get|grasp|lift|catch|collect] {a}",
    "[hold|pick|raise] {a}",
    "pick {a} up",
    "!I [want|would like] you to [pick up|take|hold|grab|lift] {a}",
    "take {a} in your hand",
    "[take|grab] {a} and hold it",
    "take hold of {a}",
    "!I [want|would like] {a} in your hand",
    "close your [hand|fingers|gripper] on {a}",
    "!you should [hold|take] {a}",
    "[go and get|go and take|go get] {a}",
    "keep {a} in your hand",
    "!{a} should be in your hand",
)

PICK_TEST = ("[fetch|seize] {a}", "lift {a} up", "!{a}, pick it up", "get hold of {a}")

STACK_TRAIN = (
    "stack {things}",
    "stack {things}, from bottom to top",
    "stack {things}, [the last one on top|first one at the bottom|the first at the bottom]",
    "stack {things} in [this|that|the given] order",
    "[build|make|create|form] a [tower|stack|pile] [of|from|with|out of] {things}",
    "[build|make|create] a [tower|stack|pile] [of|from|with] {things}, the last on top",
    "[build|make|create] a [tower|stack|pile] [of|from|with] {things} in this order",
    "stack up {things}",
    "[put|place] {things} on top of each other",
    "[put|place] {things} one on top of the other",
    "!I [want|would like] a [stack|pile] of {things}",
    "!I [want|would like|need] {things} [stacked|in a stack|in a pile]",
    "pile {things} in this order",
    "!{things} should [form|make] a [tower|stack]",
    "!{things} should be stacked",
    "[take|get] {things} and [stack|pile] them",
    "take {things} and build a tower, the last one on top",
)

STACK_TEST = (
    "pile up {things}, the last one on top",
    "!I want a tower of {things}, bottom to top",
    "!{things}: stack them in this order",
    "stack {things}, starting at the bottom",
)

SWAP_TRAIN = (
    "[swap|exchange|switch] {a} and {b}",
    "[swap|exchange|switch|change] {a} with {b}",
    "exchange {a} [and|for] {b}",
    "[swap|exchange|switch|change] the [places|positions|spots] of {a} and {b}",
    "!{a} and {b} should [swap|switch|exchange] [places|positions]",
    "make {a} and {b} [swap|switch|exchange] [places|positions]",
    "let {a} and {b} [swap|switch] [places|positions|spots]",
    "have {a} and {b} [swap|switch|exchange] places",
    "put {a} in the place of {b} and {b} in the place of {a}",
    "move {a} to where {b} [is|stands] and {b} to where {a} [is|stands]",
    "move {a} to where {b} stands and vice versa",
    "!I [want|would like] {a} and {b} [swapped|exchanged|switched]",
    "replace {a} by {b} and {b} by {a}",
    "!{a} and {b}: [swap|switch|exchange] them",
    "swap round {a} and {b}",
)

SWAP_TEST = (
    "let {a} and {b} trade places",
    "make {a} and {b} change places",
    "interchange {a} and {b}",
    "put {a} where {b} is and the other way round",
)

SORT_TRAIN = (
    "sort the [things|objects|items] by [colour|color]",
    "sort [everything|all things|all objects|them] by [colour|color]",
    "[order|group|arrange|organise] [the things|the objects|everything] by [colour|color]",
    "sort by [colour|color]",
    "put each [thing|object|item] with the container of its [colour|color]",
    "[put|place] every [object|thing] in the container of its own [colour|color]",
    "!the [objects|things|items] should be sorted by [colour|color]",
    "!every [thing|object] should go [in|to] the container of its [colour|color]",
    "!I [want|would like] [everything|the things|all objects] sorted by [colour|color]",
    "bring each [thing|object] to the container that has its [colour|color]",
    "sort [everything|the table|the things] according to [colour|color]",
    "distribute the [things|objects] by [colour|color]",
    "separate the [things|objects] by [colour|color]",
    "!each [thing|item] has to go to the container of its [colour|color]",
    "sort [the things|the objects] into the containers of their [colour|color]",
    "put things together with the container of their [colour|color]",
)

SORT_TEST = (
    "sort all the items by their colours",
    "tidy up by colour",
    "!each object belongs with the container of the same colour",
    "match things to containers by colour",
)
