namespace Alebrije.Datasets.Words;

internal static partial class CuratedWords
{
    private const string Things = """
        locomotive | steam locomotive,steam engine,steam train | +tren de vapor
        railway car | +train car | +vagón de tren
        metro | metro train,subway train,subway | +tren de metro
        light rail | light rail train,light rail~ | +
        station | train station,railway station | +
        tram | +streetcar | +
        mountain railway | mountain train | tren de montaña
        tram car | +trolley car | +
        bus | + | +bus
        oncoming bus | + | =autobús de frente
        minibus | +van | +furgoneta
        fire engine | fire truck | +camión de bomberos
        police car | +patrol car | +coche patrulla
        oncoming police car | + | =coche de policía de frente
        taxi | +cab,taxicab | +
        oncoming taxi | + | =taxi de frente
        automobile | car | +automóvil,carro
        oncoming automobile | oncoming car | =coche de frente
        sport utility vehicle | =SUV,sport utility vehicle | =todoterreno,vehículo todoterreno
        pickup truck | +pickup | +
        delivery truck | +truck | +camión
        articulated lorry | =semi truck,articulated lorry,lorry | +camión tráiler
        racing car | +race car | +
        motorcycle | +motorbike | motocicleta
        motor scooter | +scooter | +escúter
        manual wheelchair | wheelchair | =silla de ruedas
        motorized wheelchair | +electric wheelchair | =silla de ruedas eléctrica/sillas de ruedas eléctricas
        auto rickshaw | +tuk tuk | +
        bicycle | +bike | +bici
        roller skate | + | =patín de ruedas,patín de cuatro ruedas
        motorway | +highway | +carretera
        oil drum | +barrel of oil | +bidón
        fuel pump | +gas pump | +
        wheel | +tire | +neumático
        police car light | police light,revolving light | =luz de policía
        vertical traffic light | traffic light | +
        construction | =construction barrier,road work barrier | =valla de obras
        ring buoy | +life preserver | +flotador
        sailboat | +sailing boat | +barco de vela
        canoe | + | +piragua
        passenger ship | +cruise ship | +
        motor boat | motorboat | +
        airplane | +plane,aeroplane | +aeroplano
        small airplane | +small plane | +
        airplane departure | =airplane taking off,departing airplane | +
        airplane arrival | =airplane landing,arriving airplane | +
        seat | airplane seat | =asiento de avión,asiento de transporte
        mountain cableway | +cable car | +
        aerial tramway | +gondola | +cabina de teleférico
        flying saucer | +UFO | +ovni
        globe showing Europe-Africa | =globe showing Europe and Africa | +
        globe showing Asia-Australia | =globe showing Asia and Australia | +
        globe showing Americas | =globe showing the Americas | +
        snow-capped mountain | + | montaña nevada
        mount fuji | =Mount Fuji! | =monte Fuji!
        camping | campsite,camping~ | =campamento,camping
        beach with umbrella | =beach with an umbrella,beach | =playa con sombrilla,playa
        desert island | +tropical island | +
        national park | +park | +
        building construction | =building under construction,construction site | =edificio en construcción
        brick | brick wall,bricks | muro de ladrillos,ladrillo
        rock | +stone,boulder | +roca
        wood | log of wood,wood~,log | =tronco de madera,tronco,madera~
        houses | +row of houses | +
        derelict house | +abandoned house | +
        house | +home | +vivienda
        house with garden | =house with a garden | +
        Japanese post office | + | =oficina de correos japonesa/oficinas de correos japonesas
        post office | European post office | =oficina de correos europea/oficinas de correos europeas
        department store | + | =centro comercial,grandes almacenes
        castle | +European castle | castillo
        wedding | =wedding chapel | =capilla de bodas,iglesia celebrando una boda
        Tokyo tower | =Tokyo Tower! | =Torre de Tokio!
        Statue of Liberty | =Statue of Liberty! | =Estatua de la Libertad!
        soccer ball | +football | +pelota de fútbol
        baseball | + | =pelota de béisbol
        softball | + | =pelota de sóftbol,pelota de softball
        volleyball | + | =balón de voleibol
        american football | =American football | +
        rugby football | =rugby ball,rugby football | +
        tennis | =tennis ball,tennis racket | +raqueta de tenis
        flying disc | +frisbee | +
        bowling | =bowling ball,bowling pins | =bola de bolos,bolos
        cricket game | =cricket bat,cricket bat and ball | =bate de críquet
        field hockey | =field hockey stick | =palo de hockey sobre hierba
        ice hockey | =ice hockey stick | =palo de hockey sobre hielo
        lacrosse | =lacrosse stick | =palo de lacrosse
        ping pong | =ping pong paddle,table tennis paddle | =raqueta de tenis de mesa,pala de ping pong
        badminton | =badminton racket,shuttlecock | =raqueta de bádminton
        martial arts uniform | +judo uniform,karate uniform | +kimono de kárate
        flag in hole | =golf flag,flag in a hole | =banderín de golf,banderín en hoyo
        fishing pole | +fishing rod | +
        diving mask | +snorkel mask | +
        skis | + | =esquís
        sled | +sleigh | +
        glasses | +eyeglasses | +
        goggles | +safety goggles | +
        lab coat | +white coat | +
        necktie | +tie | +
        t-shirt | T-shirt | +
        jeans | +trousers | +pantalones vaqueros
        coat | +jacket | +
        one-piece swimsuit | +swimsuit | =traje de baño,bañador,traje de baño de una pieza
        briefs | +underpants | =calzoncillos,ropa interior~
        woman’s clothes | =woman's blouse,woman's clothes,blouse | =blusa,blusa de mujer,ropa de mujer~
        folding hand fan | +folding fan | abanico,abanico plegable
        purse | +coin purse | +
        clutch bag | +pouch | +
        backpack | +school bag,rucksack | mochila
        thong sandal | flip-flop | +chancleta
        man’s shoe | =man's shoe | +
        running shoe | +sneaker | +
        flat shoe | ballet flat | =zapato plano,bailarina
        high-heeled shoe | +high heel | +
        woman’s sandal | =woman's sandal | +
        woman’s boot | =woman's boot | +
        woman’s hat | =woman's hat | +
        hair pick | +hair comb | peine para el pelo,peine
        top hat | + | +chistera
        graduation cap | + | +gorro de graduación
        billed cap | baseball cap,cap | =gorra,gorra con visera
        rescue worker’s helmet | =rescue helmet,rescue worker's helmet | =casco de rescate,casco con una cruz blanca
        ring | +diamond ring | +anillo de diamante
        gem stone | =gemstone,diamond,gem | +diamante
        saxophone | +sax | +saxo
        musical keyboard | +piano keyboard,piano | +piano
        long drum | +conga drum | conga
        maracas | + | maracas
        flute | + | flauta
        pick | pickaxe | =pico de minero,pico
        axe | +hatchet | +
        hammer and pick | + | =martillo y pico
        hammer and wrench | + | =martillo y llave inglesa
        carpentry saw | =saw,carpentry saw,handsaw | =sierra,sierra de carpintería
        wrench | +spanner | +
        gear | +cogwheel | +
        clamp | +vise | +
        balance scale | +scale | +
        white cane | + | bastón blanco
        link | chain link | eslabón de cadena
        toolbox | +tool chest | +
        elevator | +lift | +
        toilet | + | +váter
        shower | +shower head | +
        mouse trap | =mousetrap,mouse trap | =ratonera,trampa de ratones
        lotion bottle | =bottle of lotion,lotion bottle | +
        roll of paper | +toilet paper roll | +
        bucket | +pail | +balde
        soap | bar of soap,soap~ | pastilla de jabón,jabón
        bubbles | +soap bubbles | +
        shopping cart | +shopping trolley | +
        shaking face | + | cara temblando
        pink heart | + | corazón rosa
        light blue heart | + | corazón azul claro/corazones azul claro
        grey heart | =gray heart,grey heart | corazón gris
        leftwards pushing hand | + | mano empujando hacia la izquierda
        rightwards pushing hand | + | mano empujando hacia la derecha
        """;
}
