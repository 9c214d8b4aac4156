from signalpost_connect.command import main

main()
